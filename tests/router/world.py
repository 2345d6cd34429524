"""What every test of the router needs: pods, names, one router, and people who send requests without a pause."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests import waiting
from tests.router.envoy_process import Router
from tests.router.pods import Names, Pod, free_port

from lamplighter.deployment.traffic.envoy.config import files
from lamplighter.deployment.traffic.types import Backend, Forwarding, Traffic, fingerprint

A, B = "aaaa1111", "bbbb2222"
FORWARDING = Forwarding(timeout=10)
REVISION = "x-lamplighter-revision"


async def until(what: str, condition: Callable[[], object]) -> None:
    """Wait until a condition holds, which may take its time: what pods and people do goes on meanwhile."""
    await waiting.until(what, lambda: asyncio.to_thread(condition), every=0.01)


@dataclass
class Load:
    """Answers to requests sent without a pause, to ``url``, which may change. ``lost``: those without a good answer."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Of good answers."""
        return self.answers.total()


def config(traffic: Traffic, forwarding: Forwarding = FORWARDING) -> dict[str, str]:
    """The files that a router reads."""
    return files(traffic, forwarding, fingerprint(traffic, forwarding))


async def serve(router: Router, traffic: Traffic, forwarding: Forwarding = FORWARDING) -> None:
    """Give a router other files, and wait until it follows them."""
    await asyncio.to_thread(router.swap, config(traffic, forwarding))
    await until("the router follows its files", lambda: router.reading().version == fingerprint(traffic, forwarding))


class World:
    """A router, pods by address, and the names under which a revision's pods are found."""

    def __init__(self, folder: Path, names: Names, names_port: int) -> None:
        self.names, self.pods = names, dict[str, Pod]()
        self._folder, self._names_port = folder, names_port
        self._numbers, self._routers = itertools.count(1), list[Router]()
        self.ports = {port: free_port() for port in (8080, 7070, 8090)}
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def pod(self, revision: str) -> Pod:
        """Another pod of a revision, ready and known to the name server."""
        address = f"127.0.1.{next(self._numbers)}"
        self.pods[address] = await Pod(address, self.ports).start()
        self.names.addresses.setdefault(f"digits-{revision}", []).append(address)
        return self.pods[address]

    async def router(
        self,
        traffic: Traffic,
        forwarding: Forwarding = FORWARDING,
        wait: bool = True,
        spoiled: dict[str, str] | None = None,
    ) -> Router:
        """A router that serves this; some files may be ``spoiled``."""
        router = Router(self._folder / f"router-{next(self._numbers)}", self.ports, self._names_port)
        self._routers.append(router)
        await asyncio.to_thread(router.start, {**config(traffic, forwarding), **(spoiled or {})})
        if wait:
            await until(
                "the router follows its files", lambda: router.reading().version == fingerprint(traffic, forwarding)
            )
        return router

    async def get(self, router: Router, path: str = "/predictions/digits", port: int = 8080, **more: Any) -> "Answer":
        """One request."""
        url = f"http://127.0.0.1:{router.ports[port]}{path}"
        async with self.session.request(more.pop("method", "GET"), url, **more) as response:
            return Answer(response.status, response.headers.get(REVISION), await response.text(), response.headers)

    @asynccontextmanager
    async def load(self, router: Router, people: int = 4) -> AsyncIterator[Load]:
        """People who send requests until the block ends."""
        load, over = Load(router.url), asyncio.Event()
        tasks = [asyncio.create_task(self._send(load, over)) for _ in range(people)]
        try:
            await until("each has five answers", lambda: load.count > 5 * people or load.lost)
            yield load
        finally:
            over.set()
            await asyncio.gather(*tasks)

    async def _send(self, load: Load, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                async with self.session.post(load.url + "/predictions/digits", data=b"x" * 100) as response:
                    text = await response.text()
                    if response.status == 200:
                        load.answers[response.headers.get(REVISION, "")] += 1
                    else:
                        load.lost.append(f"{response.status} {text}")
            except aiohttp.ClientError as error:
                load.lost.append(repr(error))

    async def close(self) -> None:
        """End everything that was started."""
        for pod in self.pods.values():
            pod.gate.set()
        await self.session.close()
        for router in self._routers:
            await asyncio.to_thread(router.stop)
        for pod in self.pods.values():
            await pod.stop()


@dataclass(frozen=True)
class Answer:
    """Of a request."""

    status: int
    revision: str | None
    text: str
    headers: Any


def backend(revision: str, max_ready: int = 4) -> Backend:
    """A revision under the name that the name server knows."""
    return Backend(revision, f"digits-{revision}", max_ready)


def both(a: int, **more: Any) -> Traffic:
    """Two revisions; the first receives ``a`` percent."""
    return Traffic((backend(A), backend(B)), ((A, a), (B, 100 - a)), **more)


def only(revision: str, **more: Any) -> Traffic:
    """One revision receives everything."""
    return Traffic((backend(revision),), ((revision, 100),), **more)
