"""A queue of keys: each queued once, one worker per key, new keys first, delays, backoff after failures."""

import asyncio
import heapq
import random
from collections import deque
from dataclasses import dataclass, field

_AHEAD = 16
"""New keys that go ahead of a waiting one: a stream of new keys must not hold the others up."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is reconciled."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass
class KeyedQueue:
    """First in, first out, except for new keys. One that is added while a worker has it is queued again afterwards."""

    backoff_first: float = 0.5
    backoff_max: float = 120.0
    _ready: deque[Key] = field(default_factory=deque)
    _new: deque[Key] = field(default_factory=deque)
    _ahead: int = 0
    _queued: dict[Key, float] = field(default_factory=dict)
    _busy: dict[Key, float] = field(default_factory=dict)
    _again: set[Key] = field(default_factory=set)
    _due: dict[Key, float] = field(default_factory=dict)
    _due_then: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _failures: dict[Key, int] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _rest: asyncio.Event = field(default_factory=asyncio.Event)
    _timer: asyncio.TimerHandle | None = None
    _closed: bool = False

    def __len__(self) -> int:
        return len(self._ready) + len(self._new)

    def add(self, key: Key, *, new: bool = False) -> None:
        """Queue the key for the next free worker; a new one goes before most others, since its user is waiting."""
        self._due.pop(key, None)
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued[key] = _now()
            (self._new if new else self._ready).append(key)
            self._wake.set()

    def add_after(self, key: Key, delay: float) -> None:
        """Queue the key after ``delay`` seconds, in place of an earlier delay for it."""
        due = _now() + max(delay, 0.0)
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        self._set_timer()

    def add_by(self, key: Key, delay: float) -> None:
        """Queue the key within ``delay`` seconds; an earlier time stays, and so does the backoff of a failed key.

        While a worker has the key, this is decided when the worker is done and its own requeue time is known.
        """
        due = _now() + max(delay, 0.0)
        if key in self._busy:
            self._due_then[key] = min(due, self._due_then.get(key, due))
            return
        known = self._due.get(key)
        retried = known is not None and key in self._failures
        if key not in self._queued and not retried and (known is None or due < known):
            self.add_after(key, delay)

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Queue a failed key again, with a longer delay each time. Returns the delay in seconds, with jitter."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        exponential = min(self.backoff_first * 2.0 ** min(failures - 1, 30), self.backoff_max)
        delay = max(exponential * random.uniform(0.5, 1.0), at_least)  # noqa: S311 (jitter, no secret)
        self.add_after(key, delay)
        return delay

    def failures(self, key: Key) -> int:
        """Failures of the key since its last success."""
        return self._failures.get(key, 0)

    def succeeded(self, key: Key) -> None:
        """Forget earlier failures of the key."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key; the caller must call :meth:`done` with it."""
        while not len(self) or self._closed:
            self._wake.clear()
            await self._wake.wait()
        late = bool(self._ready) and (not self._new or self._ahead >= _AHEAD)
        key = (self._ready if late else self._new).popleft()
        self._ahead = 0 if late else self._ahead + 1
        del self._queued[key]
        self._busy[key] = _now()
        self._rest.clear()
        return key

    def done(self, key: Key) -> None:
        """The worker is through with the key."""
        del self._busy[key]
        if not self._busy:
            self._rest.set()
        if key in self._again:
            self._again.remove(key)
            self.add(key)
        due = self._due_then.pop(key, None)
        if due is not None:
            self.add_by(key, due - _now())

    async def drained(self) -> None:
        """Hand out no more keys, and wait until the workers have finished theirs."""
        self._closed = True
        if self._busy:
            await self._rest.wait()

    @property
    def idle(self) -> bool:
        """True when nothing is queued and no worker has a key (delayed keys do not count)."""
        return not len(self) and not self._busy

    @property
    def new_ones_wait(self) -> bool:
        """True when a new key waits: workers should leave for later what they can."""
        return bool(self._new) and not self._closed

    def longest_wait(self) -> float:
        """Seconds that the oldest key has been waiting or worked on."""
        now = _now()
        return max((now - since for since in (*self._queued.values(), *self._busy.values())), default=0.0)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        self._timer = None
        if self._heap:
            self._timer = asyncio.get_running_loop().call_later(max(self._heap[0][0] - _now(), 0.0), self._release)

    def _release(self) -> None:
        now = _now()
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                self.add(key)
        self._set_timer()


def _now() -> float:
    return asyncio.get_running_loop().time()
