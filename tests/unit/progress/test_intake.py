"""Taking reports: in order, not too often, and the training is looked at in its turn."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.builders import a_job, a_pod
from tests.builders.objects import NOW, Obj, at
from tests.unit.engine.quick import now, run
from tests.unit.progress.scenes import (
    KEY,
    OnePod,
    a_report,
    a_running_training,
    a_scene,
    a_token,
    caller_of,
    step_of,
)

from lamplighter.core.report import Measured, ProgressReport
from lamplighter.engine.index import Index
from lamplighter.engine.queue import KeyedQueue
from lamplighter.progress.intake import Intake
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.tokens import Tokens


@dataclass
class Scene:
    """An intake and what is around it."""

    index: Index
    pod: Obj
    queue: KeyedQueue = field(default_factory=KeyedQueue)
    ready: bool = True
    writes: float = 1.0

    def __post_init__(self) -> None:
        tokens = Tokens(OnePod(self.pod), wall=NOW.timestamp)
        self.intake = Intake(self.index, self.queue, tokens, self.writes, lambda: self.ready, lambda: NOW)

    def accept(self, **report: Any) -> int:
        """The status of the answer to a report."""
        try:
            self.intake.accept(caller_of(self.pod), a_report(**report))
        except Refusal as refusal:
            return refusal.status
        return 204

    async def identify(self) -> int:
        """The status of the answer so far."""
        try:
            await self.intake.identify(a_token(), "10.0.0.1")
        except Refusal as refusal:
            return refusal.status
        return 204

    async def looked_at(self) -> float:
        """The moment at which a worker gets the training next."""
        key = await asyncio.wait_for(self.queue.get(), 86_400)
        assert key == KEY
        self.queue.done(key)
        return now()

    async def never_looked_at(self) -> bool:
        """True when no worker gets anything within a day."""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.queue.get(), 86_400)
        return True


def told(story: Callable[[Scene], Coroutine[Any, Any, Any]], **changed: Any) -> Any:
    """Tell a story of a training whose pod reports."""

    async def tell() -> Any:
        index, _, pod = a_scene()
        return await story(Scene(index, pod, **changed))

    return run(tell())


def test_a_report_becomes_the_last_one_of_its_training() -> None:
    async def story(scene: Scene) -> None:
        assert scene.accept(step=1) == 204
        assert scene.accept(sequence=2, step=2) == 204
        snapshot = scene.index.snapshot(KEY)
        assert snapshot is not None
        said = Measured(step=2, heartbeat=at(-1))
        assert snapshot.report == ProgressReport(1, "train", 1, said, scene.pod["metadata"]["name"], at())

    told(story)


@pytest.mark.parametrize("sequence", [4, 5])
def test_a_report_that_is_not_newer_is_refused(sequence: int) -> None:
    async def story(scene: Scene) -> None:
        assert scene.accept(sequence=5, step=5) == 204
        assert scene.accept(sequence=sequence, step=4) == 409
        assert step_of(scene.index) == 5

    told(story)


def test_what_was_refused_does_not_count_as_the_last_report() -> None:
    async def story(scene: Scene) -> None:
        assert scene.accept(sequence=9, step=-1) == 400
        assert scene.accept(sequence=5) == 204

    told(story)


def test_each_pod_has_its_own_sequence() -> None:
    async def story(scene: Scene) -> None:
        job = scene.index.child(KEY, "Job", "digits-1-1")
        assert job is not None
        other = a_pod(job, index=1).meta(name="digits-1-1-1-aaaaa", uid="other", creationTimestamp=at()).obj()
        scene.index.put(other)
        assert scene.accept(sequence=100) == 204
        scene.intake.accept(caller_of(other), a_report(sequence=1))

    told(story)


@pytest.mark.parametrize("report", [{"run": 2}, {"attempt": 2}])
def test_a_report_about_another_attempt_than_the_pods_is_malformed(report: dict[str, int]) -> None:
    async def story(scene: Scene) -> None:
        assert scene.accept(**report) == 400
        assert scene.index.report(KEY) is None

    told(story)


def test_an_attempt_that_ends_between_the_token_and_the_body_is_over() -> None:
    async def story(scene: Scene) -> None:
        assert await scene.identify() == 204
        scene.index.put(a_running_training(attempt=2).meta(resourceVersion="9").obj())
        assert scene.accept() == 410

    told(story)


def test_a_pod_may_report_once_a_second_and_a_few_times_at_once() -> None:
    async def story(scene: Scene) -> None:
        assert [await scene.identify() for _ in range(5)] == [204, 204, 204, 429, 429]
        await asyncio.sleep(1)
        assert [await scene.identify() for _ in range(2)] == [204, 429]

    told(story)


def test_no_report_is_taken_while_this_process_may_not_write() -> None:
    async def story(scene: Scene) -> None:
        assert await scene.identify() == 503

    told(story, ready=False)


def test_the_first_report_of_an_attempt_is_looked_at_at_once() -> None:
    async def story(scene: Scene) -> None:
        scene.accept()
        assert await scene.looked_at() == 0
        index, pod = scene.index, scene.pod
        training = a_running_training(attempt=2).meta(resourceVersion="9").obj()
        job = a_job(training, attempt=2).obj()
        scene.pod = a_pod(job).meta(creationTimestamp=at()).obj()
        for obj in (training, job, scene.pod):
            index.put(obj)
        assert scene.pod["metadata"]["name"] != pod["metadata"]["name"]
        scene.accept(attempt=2)
        assert await scene.looked_at() == 0

    told(story)


def test_further_reports_wait_for_their_turn() -> None:
    async def story(scene: Scene) -> None:
        scene.accept(sequence=1)
        assert await scene.looked_at() == 0
        for sequence in range(2, 6):
            scene.accept(sequence=sequence)
        assert await scene.looked_at() == 10  # 0.1 per second, and the first report has had its turn
        assert await scene.never_looked_at()

    told(story, writes=0.1)


def test_an_earlier_wish_to_look_at_the_training_stays() -> None:
    async def story(scene: Scene) -> None:
        scene.accept(sequence=1)
        await scene.looked_at()
        scene.queue.add_after(KEY, 3)
        scene.accept(sequence=2)
        assert await scene.looked_at() == 3
        assert await scene.never_looked_at()

    told(story, writes=0.1)
