"""The operator's engine as a process that can die: everything but Kopf, on watches of the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from tests.integration.engine.faults import FaultyApi, Killed, Onlooker, Trap, Wrote
from tests.integration.engine.server import WATCHED
from tests.integration.engine.watches import Watches

from lamplighter.__main__ import kinds, new_index
from lamplighter.core.naming import OWNER_LABEL, SELECTOR
from lamplighter.core.objects import Obj
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.reconcile import Reconciler, work
from lamplighter.engine.resources import PRIMARY
from lamplighter.questions import pod_events
from lamplighter.settings import Settings
from lamplighter.training.failures.pod_events import POD_EVENTS

LAG = 0.1
"""Seconds by which the watches are late after a request without an answer: longer than the pause before a retry."""
KINDS = kinds(Settings(torchserve_image="lamplighter/torchserve:dev"))


class Process:
    """Reconciles the objects of one name. When it dies, a new one begins with nothing but what the API server lists."""

    def __init__(self, watches: Watches, name: str, trap: Trap, kinds: tuple[str, ...] = PRIMARY) -> None:
        self.deaths = 0
        self.ahead = timedelta()
        self._watches = watches
        self._name = name
        self._trap = trap
        self._keys = [Key(kind, watches.namespace, name) for kind in kinds]
        self._queue = KeyedQueue()
        self._index = new_index(self._queue)
        self._early: list[tuple[str, Obj]] | None = None
        self._begun = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Live, die and live again while inside."""
        with self._watches.listening(self._name, self._hear):
            task = asyncio.create_task(self._lives())
            try:
                yield
            finally:
                alive = not task.done()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert alive, f"the process ended with {task.exception()!r}"

    def clock(self) -> datetime:
        """The time that plans are made for."""
        return datetime.now(UTC) + self.ahead

    def wake(self) -> None:
        """Have everything looked at, as the slow resync does."""
        for key in self._keys:
            self._queue.add(key)

    async def rests(self) -> bool:
        """True when nothing waits for a worker, and one that knows what the watches told would write nothing."""
        if not self._queue.idle:
            return False
        index = new_index(KeyedQueue())
        for obj in self._watches.of_owner(self._name).values():
            index.put(obj)
        server = self._watches.server
        readers = {POD_EVENTS: pod_events.reader(server, index), **server.readers}
        onlooker = Reconciler(Onlooker(server), index, KINDS, readers, clock=self.clock)
        try:
            for key in self._keys:
                await onlooker.reconcile(key)
        except Wrote:
            return False
        return self._queue.idle

    async def _lives(self) -> None:
        while True:
            try:
                await self._live()
            except Killed:
                self.deaths += 1

    async def _live(self) -> None:
        self._queue = KeyedQueue(backoff_first=0.01, backoff_max=0.1)
        self._index = new_index(self._queue)
        if self._begun:  # before the first life nothing of this name exists
            await self._list()
        self._begun = True
        api = FaultyApi(self._watches.server, self._trap)
        readers = api.readers(self._watches.server.readers, self._index)
        await work(self._queue, Reconciler(api, self._index, KINDS, readers, "test", self.clock))

    async def _list(self) -> None:
        """Learn what exists; what the watches tell meanwhile comes after it."""
        self._early = []
        server, namespace = self._watches.server, self._watches.namespace
        lists = [server.list(kind, namespace, **_selection(kind, key)) for key in self._keys for kind in WATCHED]
        for items, _ in await asyncio.gather(*lists):
            for item in items:
                self._learn("ADDED", item)
        for event, obj in self._early:
            self._learn(event, obj)
        self._early = None

    def _hear(self, event: str, obj: Obj) -> None:
        if self._early is not None:
            self._early.append((event, obj))
        elif self._trap.unanswered:  # whoever tries again meets what is there before it hears of it
            asyncio.get_running_loop().call_later(LAG, self._learn, event, obj)
        else:
            self._learn(event, obj)

    def _learn(self, event: str, obj: Obj) -> None:
        for key in self._index.remove(obj) if event == "DELETED" else self._index.put(obj):
            if key in self._keys:
                self._queue.add(key)


def _selection(kind: str, key: Key) -> dict[str, str]:
    """What a list is narrowed to: the children of a key, or primary objects of its name."""
    if kind in PRIMARY:
        return {"fieldSelector": f"metadata.name={key.name}"}
    return {"labelSelector": f"{SELECTOR},{OWNER_LABEL[key.kind]}={key.name}"}
