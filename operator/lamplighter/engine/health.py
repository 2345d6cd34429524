"""Serves probes and Prometheus: /healthz, /readyz, /metrics, /metrics/trainings.

Healthy means that the engine makes progress, not that a port answers: no reconcile is stuck, no key waits too long, and
the watches still deliver what the API server knows.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lamplighter.engine import metrics
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue

log = logging.getLogger(__name__)


class Health:
    """Collects the reasons for not being healthy or ready."""

    def __init__(self, queue: KeyedQueue, stuck_after: float) -> None:
        self._queue = queue
        self._stuck_after = stuck_after
        self.stale_watches: list[Key] = []
        self.started = False
        self.trainings: Callable[[], Awaitable[bytes]] | None = None
        """Writes the page of the trainings; None in a replica that is not the leader."""

    def illness(self) -> str | None:
        """Why the process should be restarted; None when it is healthy."""
        waited = self._queue.longest_wait()
        if waited > self._stuck_after:
            return f"an object has waited {waited:.0f} s for its reconcile"
        if self.stale_watches:
            return f"a watch has stopped: {self.stale_watches[0]} is newer on the API server than in memory"
        return None

    @contextlib.asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[int]:
        """Serve on this port (0: any) while inside; gives the port."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/metrics/trainings", self._trainings),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, port=port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        illness = self.illness()
        return web.Response(text=illness or "ok", status=503 if illness else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok" if self.started else "starting", status=200 if self.started else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        metrics.QUEUE_DEPTH.set(len(self._queue))
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _trainings(self, _: web.Request) -> web.Response:
        body = b"" if self.trainings is None else await self.trainings()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class Lister(Protocol):
    """Lists the objects of the API server."""

    async def generations(self, kind: str) -> Iterable[tuple[Key, int]]:
        """Key and generation of every object of a kind."""


async def resync(
    every: float, lister: Lister, kinds: Iterable[str], index: Index, queue: KeyedQueue, health: Health
) -> None:
    """Without end: queue every object, and compare the index with the API server.

    An object that is behind twice in a row means that a watch has stopped while the process runs. One that is no longer
    listed is forgotten.
    """
    suspects: set[Key] = set()
    while True:
        await asyncio.sleep(every)
        behind: set[Key] = set()
        try:
            for kind in kinds:
                unlisted = {key: index.get(key) for key in list(index.keys()) if key.kind == kind}
                for key, generation in await lister.generations(kind):
                    queue.add(key)
                    known = index.get(key)
                    if known is None or known["metadata"]["generation"] < generation:
                        behind.add(key)
                    unlisted.pop(key, None)
                for obj in filter(None, unlisted.values()):
                    for key in index.remove(obj):
                        queue.add(key)
        except Exception as error:
            log.warning("the resync could not list the objects: %s", error)
            continue
        health.stale_watches = sorted(behind & suspects)
        suspects = behind
