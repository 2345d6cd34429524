"""How often something may happen. Moments are seconds of any clock that only goes forward."""

from typing import Generic, TypeVar

from lamplighter.progress.bounded import Bounded

K = TypeVar("K")


class RateLimit(Generic[K]):
    """So much per second for each of many, and a few at once: the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, rate: float, burst: int, size: int) -> None:
        """``rate``: per second. ``burst``: at once after a rest. ``size``: how many are remembered."""
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self._arrivals: Bounded[K, float] = Bounded(size)

    def wait(self, who: K, now: float) -> float:
        """Seconds until the next one is within the allowance; 0 when it is now."""
        theoretical = self._arrivals.get(who)
        return 0.0 if theoretical is None else max(theoretical - self._tolerance - now, 0.0)

    def spend(self, who: K, now: float) -> None:
        """One has happened."""
        self._arrivals.put(who, max(self._arrivals.get(who) or now, now) + self._interval)


class Slots(Generic[K]):
    """Hands out moments that are evenly spaced, one at a time to each who asks."""

    def __init__(self, rate: float) -> None:
        """``rate``: slots per second."""
        self._interval = 1.0 / rate
        self._next = 0.0
        self._given: dict[K, float] = {}

    def delay(self, who: K, now: float) -> float:
        """Seconds until the slot of this one: the one that it has already, or the next that is free."""
        # Slots are given in the order of time, so what is past stands in front.
        while self._given and (first := next(iter(self._given.items())))[1] <= now:
            del self._given[first[0]]
        slot = self._given.get(who)
        if slot is None:
            slot = self._given[who] = max(self._next, now)
            self._next = slot + self._interval
        return slot - now

    def take(self, now: float) -> None:
        """Somebody goes at once; the others come later for it."""
        self._next = max(self._next, now) + self._interval
