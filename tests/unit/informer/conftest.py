"""An informer of pods, and the API server that it follows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import pytest
from kubernetes.aio.client import Configuration
from tests.unit.informer.api_server import ApiServer

from lamplighter.core.objects import Obj
from lamplighter.engine.resources import RESOURCES
from lamplighter.informer import Informer, Listing, Patience
from lamplighter.kube import Client

DEADLINE = 30.0
"""Seconds after which a condition that did not come about fails the test."""


class Follower:
    """An informer at work, and what it has reported."""

    def __init__(self, server: ApiServer, client: Client, patience: Patience) -> None:
        self.server = server
        self.reports: list[tuple[str, str]] = []
        """What was reported, in order: ("put", name), ("remove", name), ("listed", names)."""
        self.objects: dict[str, Obj] = {}
        self._news = asyncio.Event()
        informer = Informer(client, RESOURCES["Pod"], "team", self, selector="made-by=us", patience=patience)
        self.task = asyncio.create_task(informer.run())
        self.task.add_done_callback(lambda _: self._news.set())

    @classmethod
    @contextlib.asynccontextmanager
    async def of(
        cls, server: ApiServer, patience: Patience | None = None, renew: Callable[[Configuration], None] | None = None
    ) -> AsyncIterator[Self]:
        """An informer that works while inside. ``renew`` sets the token, before each request."""
        configuration = Configuration(host=f"http://127.0.0.1:{server.port}")
        configuration.refresh_api_key_hook = renew
        client = Client(configuration, timeout=10)
        follower = cls(server, client, patience or Patience(first=0.001, longest=0.01))
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.gather(follower.task, return_exceptions=True)
            await client.close()

    def put(self, obj: Obj) -> None:
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "Pod")
        self.objects[obj["metadata"]["name"]] = obj
        self._report("put", obj["metadata"]["name"])

    def remove(self, obj: Obj) -> None:
        del self.objects[obj["metadata"]["name"]]
        self._report("remove", obj["metadata"]["name"])

    def listed(self, kind: str, namespace: str | None, listing: Listing) -> None:
        assert (kind, namespace, listing.version) == ("Pod", "team", str(self.server.version))
        names = {name for _, name in listing.places}
        self.objects = {name: obj for name, obj in self.objects.items() if name in names}
        self._report("listed", " ".join(sorted(names)))

    async def until(self, what: str, true: Callable[[], Any]) -> None:
        """Wait until something is true: looked at after each report, and a hundred times a second."""
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while not true():
            self._news.clear()
            assert not self.task.done(), f"the informer has ended: {self.task}"
            assert asyncio.get_running_loop().time() < deadline, f"not within {DEADLINE:.0f} s: {what}"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.01)

    async def until_reported(self, *report: str) -> None:
        """Wait for a report."""
        await self.until(f"{report} is reported", lambda: report in self.reports)

    async def until_watching(self) -> None:
        """Wait until the API server has the watch."""
        await self.until("a watch is open", lambda: self.server.watched)

    def _report(self, what: str, name: str) -> None:
        self.reports.append((what, name))
        self._news.set()


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """An API server with two pods."""
    async with ApiServer.running() as running:
        await running.put("one")
        await running.put("two")
        yield running
