"""The watches of a namespace: what exists now, what ever existed, and who wants to be told."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self

from tests.integration.engine.server import WATCHED, Server
from tests.waiting import until

from lamplighter.core.naming import OWNER_LABEL
from lamplighter.core.objects import Obj, labels

Listener = Callable[[str, Obj], None]


class Watches:
    """One watch per kind. A listener hears of the primary objects of one name and of their children."""

    def __init__(self, server: Server, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        self._objects: defaultdict[str, dict[tuple[str, str], Obj]] = defaultdict(dict)
        self.uids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.states: defaultdict[str, set[str]] = defaultdict(set)
        """What the primary objects of a name have ever said about themselves."""
        self.count = 0
        """Events so far."""
        self._listeners: dict[str, Listener] = {}
        self._bells: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, server: Server, namespace: str) -> AsyncIterator[Self]:
        """Watches while inside."""
        watches = cls(server, namespace)
        tasks = [asyncio.create_task(watches._follow(kind)) for kind in WATCHED]
        try:
            yield watches
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, asyncio.CancelledError), f"a watch of the test broke: {outcome!r}"

    def of_owner(self, name: str) -> dict[tuple[str, str], Obj]:
        """The primary objects of this name and their children, by kind and name, as the watches told them last."""
        return self._objects[name]

    @contextlib.contextmanager
    def listening(self, name: str, listener: Listener) -> Iterator[None]:
        """Tell the listener of every event about this name while inside."""
        self._listeners[name] = listener
        try:
            yield
        finally:
            del self._listeners[name]

    def forget_removed(self, name: str) -> None:
        """What of this name is gone by now was removed on purpose: when it is made again, it is not made twice."""
        gone = [place for place in self.uids if place[1].startswith(f"{name}-") and place not in self._objects[name]]
        for place in gone:
            del self.uids[place]

    async def until(self, name: str, what: str, true: Callable[[], Any]) -> None:
        """Wait until something about this name is true: looked at after every event about it."""
        await until(f"{name}: {what}", true, bell=self._bells[name])

    async def _follow(self, kind: str) -> None:
        items, since = await self.server.list(kind, self.namespace)
        for item in items:
            self._tell("ADDED", item)
        async for event in self.server.watch(kind, self.namespace, since):
            self._tell(event["type"], event["object"])

    def _tell(self, event: str, obj: Obj) -> None:
        self.count += 1
        place = (obj["kind"], obj["metadata"]["name"])
        name = owner_name(obj)
        if event == "DELETED":
            self._objects[name].pop(place, None)
        else:
            self._objects[name][place] = obj
            self.uids[place].add(obj["metadata"]["uid"])
        if obj["kind"] in OWNER_LABEL and "state" in obj.get("status", {}):
            self.states[name].add(obj["status"]["state"])
        if name in self._listeners:
            self._listeners[name](event, obj)
        self._bells[name].set()


def owner_name(obj: Obj) -> str:
    """The name of the primary object that an object is or belongs to."""
    marks = labels(obj)
    return next((marks[label] for label in OWNER_LABEL.values() if label in marks), obj["metadata"]["name"])
