"""An Api that fails on purpose: at one call, in one way, or all the time by the dice."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NoReturn, Protocol, TypeVar

from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot
from lamplighter.engine.api import Api, ApiError
from lamplighter.engine.index import Index
from lamplighter.engine.questions import Reader, Readers
from lamplighter.questions import pod_events
from lamplighter.questions.pod_events import EventLister
from lamplighter.training.failures.pod_events import POD_EVENTS

Answer = TypeVar("Answer")


class Killed(BaseException):
    """The process is no more. No handler of the engine may catch this."""


class Wrote(BaseException):
    """Somebody who was only to look has tried to write."""


class Fault(Enum):
    """What becomes of a call."""

    LOST = "the request never arrives"
    UNANSWERED = "the request is carried out, its answer never arrives"
    CONFLICT = "409"
    THROTTLED = "429 with Retry-After"
    FAILED = "500"
    KILLED_BEFORE = "the process dies before the request"
    KILLED_AFTER = "the process dies when the request is carried out"

    @property
    def performed(self) -> bool:
        """True when the API server does what it was asked all the same."""
        return self in (Fault.UNANSWERED, Fault.KILLED_AFTER)

    @property
    def deadly(self) -> bool:
        """True when the process ends."""
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


_ERRORS = {
    Fault.LOST: (0, "TimeoutError", "no answer in time", None),
    Fault.UNANSWERED: (0, "TimeoutError", "no answer in time", None),
    Fault.CONFLICT: (409, "Conflict", "the object has been modified", None),
    Fault.THROTTLED: (429, "TooManyRequests", "try again later", 0.02),
    Fault.FAILED: (500, "InternalError", "etcdserver: leader changed", None),
}


class Trap:
    """Strikes at the call of one number, counted over all the lives of a process while it is armed."""

    def __init__(self, fault: Fault | None = None, at: int = 0) -> None:
        self.armed = True
        self.calls = 0
        self.fired = False
        self.unanswered = False
        """True once a request was carried out without an answer: from then on the watches tell late, too."""
        self.at = at
        self._fault = fault

    def next(self) -> Fault | None:
        """What becomes of the next call."""
        if not self.armed:
            return None
        self.calls += 1
        return self._strike()

    def _strike(self) -> Fault | None:
        if self.calls != self.at:
            return None
        self.fired = True
        return self._fault


class Storm(Trap):
    """Strikes at a quarter of the first calls, in any way."""

    def __init__(self, seed: int, calls: int = 40) -> None:
        super().__init__()
        self._dice = random.Random(seed)
        self._until = calls

    def _strike(self) -> Fault | None:
        if self.calls > self._until or self._dice.random() > 0.25:
            return None
        return self._dice.choice(list(Fault))


class EventfulApi(Api, EventLister, Protocol):
    """All that a process asks of the API server."""


class FaultyApi:
    """What one life of a process sees of the API server."""

    def __init__(self, api: EventfulApi, trap: Trap) -> None:
        self._api = api
        self._trap = trap
        self._dead = False

    async def get(self, ref: Ref) -> Obj | None:
        """The object, or None."""
        return await self._call(lambda: self._api.get(ref))

    async def create(self, obj: Obj) -> Obj:
        """POST."""
        return await self._call(lambda: self._api.create(obj))

    async def patch(self, obj: Obj) -> Obj:
        """Merge a partial object."""
        return await self._call(lambda: self._api.patch(obj))

    async def replace_status(self, obj: Obj) -> Obj:
        """PUT the status."""
        return await self._call(lambda: self._api.replace_status(obj))

    async def delete(self, ref: Ref) -> None:
        """DELETE."""
        return await self._call(lambda: self._api.delete(ref))

    async def pod_events(self, namespace: str, job: str) -> list[Obj]:
        """The Events about a Job's pods."""
        return await self._call(lambda: self._api.pod_events(namespace, job))

    def readers(self, others: Readers, index: Index) -> Readers:
        """The readers of a process; nothing is heard when it is dead."""
        return {POD_EVENTS: pod_events.reader(self, index), **{name: self._heard(one) for name, one in others.items()}}

    def _heard(self, reader: Reader) -> Reader:
        async def read(target: Ref, snapshot: Snapshot) -> Obj | None:
            self._live()
            return await reader(target, snapshot)

        return read

    async def _call(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        self._live()
        fault = self._trap.next()
        if fault is None:
            answer = await send()
            self._live()
            return answer
        self._dead = fault.deadly
        self._trap.unanswered |= fault is Fault.UNANSWERED
        if fault.performed:
            await asyncio.shield(asyncio.ensure_future(send()))
        self._live()
        raise ApiError(*_ERRORS[fault])

    def _live(self) -> None:
        if self._dead:
            raise Killed


class Onlooker:
    """Reads, and tells when something would be written."""

    def __init__(self, api: Api) -> None:
        self.get = api.get

    async def _write(self, _: object) -> NoReturn:
        raise Wrote

    create = patch = replace_status = delete = _write
