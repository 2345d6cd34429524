"""How often something may happen."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lamplighter.progress.bounded import Bounded
from lamplighter.progress.rate_limit import RateLimit, Slots


def test_some_at_once_then_one_per_interval() -> None:
    pace: RateLimit[str] = RateLimit(rate=1.0, burst=3, size=10)
    for _ in range(3):
        assert pace.wait("a", 100.0) == 0
        pace.spend("a", 100.0)
    assert pace.wait("a", 100.0) == 1
    assert pace.wait("a", 101.0) == 0
    assert pace.wait("b", 100.0) == 0


@given(st.lists(st.floats(0, 5), max_size=100))
def test_no_key_gets_more_than_the_rate_and_the_burst(gaps: list[float]) -> None:
    pace: RateLimit[str] = RateLimit(rate=2.0, burst=3, size=10)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        if not pace.wait("a", now):
            pace.spend("a", now)
            taken += 1
    assert taken <= 3 + 2.0 * now + 1e-6


def test_slots_are_evenly_spaced_and_each_has_one() -> None:
    slots: Slots[str] = Slots(rate=20.0)
    assert [round(slots.delay(who, 100.0), 3) for who in "abcbcd"] == [0, 0.05, 0.1, 0.05, 0.1, 0.15]


def test_a_slot_that_is_over_is_followed_by_a_new_one() -> None:
    slots: Slots[str] = Slots(rate=1.0)
    assert [slots.delay(who, 100.0) for who in "ab"] == [0, 1]
    assert slots.delay("a", 100.5) == 1.5
    assert slots.delay("b", 110.0) == 0


def test_who_goes_at_once_makes_the_others_wait() -> None:
    slots: Slots[str] = Slots(rate=1.0)
    for _ in range(5):
        slots.take(100.0)
    assert slots.delay("a", 100.0) == 5


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 0.2)), max_size=200))
def test_no_more_slots_than_the_rate(asked: list[tuple[int, float]]) -> None:
    slots: Slots[int] = Slots(rate=10.0)
    now, moments = 0.0, set()
    for who, gap in asked:
        now += gap
        moments.add(round(now + slots.delay(who, now), 6))
    ordered = sorted(moments)
    assert all(later - earlier >= 0.1 - 1e-5 for earlier, later in itertools.pairwise(ordered))


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    known: Bounded[str, int] = Bounded(2)
    known.put("a", 1)
    known.put("b", 2)
    assert known.get("a") == 1
    known.put("c", 3)
    assert (known.get("a"), known.get("b"), known.get("c"), len(known)) == (1, None, 3, 2)
