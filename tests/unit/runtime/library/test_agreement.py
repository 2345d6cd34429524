"""All ranks get the same answer at the same step, although they rarely exchange it."""

import threading
import time
from types import SimpleNamespace

import pytest

from lamplighter_runtime.library import agreement

WORLD = 3


class ProcessGroup:
    """Something that weak references may point to, as the groups of PyTorch."""


class Group:
    """Ranks as threads; `greatest` and `gather` meet at a barrier."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rank = threading.local()
        self.exchanges = 0
        self._values: list = [None] * WORLD
        self._barrier = threading.Barrier(WORLD, timeout=20)
        dist = SimpleNamespace(
            get_world_size=lambda: WORLD, get_rank=lambda: self.rank.number, group=SimpleNamespace(WORLD=ProcessGroup())
        )
        monkeypatch.setattr(agreement, "distributed", lambda: dist)
        monkeypatch.setattr(agreement, "gather", self.gather)
        monkeypatch.setattr(agreement, "greatest", self.greatest)

    def greatest(self, values: list[int]) -> list[int]:
        return [max(place) for place in zip(*self.gather(values), strict=True)]

    def gather(self, value):
        self._values[self.rank.number] = value
        self._barrier.wait()
        values = list(self._values)
        if self._barrier.wait() == 0:
            self.exchanges += 1
        return values

    def run(self, body) -> list:
        results: list = [None] * WORLD

        def rank(number: int) -> None:
            self.rank.number = number
            try:
                results[number] = body(number)
            except Exception as error:
                results[number] = error

        threads = [threading.Thread(target=rank, args=(number,)) for number in range(WORLD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return results


def test_all_ranks_get_the_answer_at_the_same_step_with_few_exchanges(monkeypatch: pytest.MonkeyPatch):
    group = Group(monkeypatch)

    def body(rank: int) -> int | None:
        question = agreement.Question()
        for step in range(20_000):
            if question.ask(rank == 1 and step >= 7):
                return step
            time.sleep(0.0005)
        return None

    steps = group.run(body)
    assert len(set(steps)) == 1
    assert steps[0] >= 7
    assert group.exchanges < 20


def test_slow_steps_are_asked_about_each_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(agreement, "PERIOD", 0.001)
    group = Group(monkeypatch)

    def body(rank: int) -> int:
        question = agreement.Question()
        for step in range(100):
            time.sleep(0.002)
            if question.ask(rank == 2 and step == 5):
                return step
        return -1

    assert group.run(body) == [5] * WORLD


def test_one_failure_fails_all(monkeypatch: pytest.MonkeyPatch):
    def body(rank: int) -> None:
        with agreement.all_or_none("the checkpoint of step 5"):
            if rank == 1:
                raise OSError("disk full")

    errors = Group(monkeypatch).run(body)
    assert str(errors[1]) == "disk full"
    for rank in (0, 2):
        assert isinstance(errors[rank], agreement.CheckpointError)
        assert str(errors[rank]) == "the checkpoint of step 5 failed on rank 1"


def test_a_single_process_gets_its_own_answer():
    assert agreement.Question().ask(True)
    assert not agreement.Question().ask(False)
    assert agreement.gather(1) == [1]
    assert agreement.from_first("x") == "x"
