"""Limits how often something happens. Times are seconds of any monotonic clock."""

from typing import Generic, TypeVar

from lamplighter.progress.bounded import Bounded

K = TypeVar("K")


class RateLimit(Generic[K]):
    """A rate and a burst for each of many keys: the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, rate: float, burst: int, size: int) -> None:
        """``rate``: events per second. ``burst``: events at once after a rest. ``size``: keys that are remembered."""
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self._arrivals: Bounded[K, float] = Bounded(size)

    def wait(self, who: K, now: float) -> float:
        """Seconds until the next event is within the limit; 0 when it may happen now."""
        theoretical = self._arrivals.get(who)
        return 0.0 if theoretical is None else max(theoretical - self._tolerance - now, 0.0)

    def spend(self, who: K, now: float) -> None:
        """Count an event."""
        self._arrivals.put(who, max(self._arrivals.get(who) or now, now) + self._interval)


class Slots(Generic[K]):
    """Hands out evenly spaced time slots; a key holds one at a time."""

    def __init__(self, rate: float) -> None:
        """``rate``: slots per second."""
        self._interval = 1.0 / rate
        self._next = 0.0
        self._given: dict[K, float] = {}

    def delay(self, who: K, now: float) -> float:
        """Seconds until the slot of this key: the one that it already holds, or the next free one."""
        # Slots are handed out in order of time, so past ones come first.
        while self._given and (first := next(iter(self._given.items())))[1] <= now:
            del self._given[first[0]]
        slot = self._given.get(who)
        if slot is None:
            slot = self._given[who] = max(self._next, now)
            self._next = slot + self._interval
        return slot - now

    def take(self, now: float) -> None:
        """Use a slot at once; later ones are delayed for it."""
        self._next = max(self._next, now) + self._interval
