"""What follows from each way a reconcile can end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY
from tests.builders import a_config_map, a_training
from tests.builders.objects import Obj
from tests.unit.engine.quick import now, run
from tests.unit.engine.recorder import BROKEN, INVALID, Recorder

from lamplighter.core.errors import TerminalError, TransientError
from lamplighter.core.objects import Ref
from lamplighter.core.plan import Plan, Snapshot
from lamplighter.engine.api import ApiError
from lamplighter.engine.index import Index
from lamplighter.engine.questions import Readers
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.reconcile import Kind, Reconciler, work
from lamplighter.training.plan import view_of
from lamplighter.training.view import TrainingView

KEY = Key("ModelTraining", "team", "digits")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CHILD = {"kind": "Job", "metadata": {"name": "j", "namespace": "team"}}


class Logic:
    """A kind whose plans a test writes."""

    def __init__(self, *plans: Plan | Exception, reads: tuple[Ref, ...] = ()) -> None:
        self.plans = list(plans)
        self.seen: list[Snapshot] = []
        self.told: list[TerminalError] = []
        self.kind = Kind(view_of, lambda _: list(reads), self._plan, self._blocked)

    def _plan(self, view: TrainingView) -> Plan:
        self.seen.append(view.snapshot)
        plan = self.plans.pop(0) if self.plans else Plan()
        if isinstance(plan, Exception):
            raise plan
        return plan

    def _blocked(self, _: TrainingView, error: TerminalError, look_again: float) -> Plan:
        self.told.append(error)
        return Plan(status={"state": error.reason}, requeue_after=look_again)


def reconciler(logic: Logic, api: Recorder, index: Index | None = None, readers: Readers | None = None) -> Reconciler:
    """A reconciler that knows one training."""
    index = index or Index()
    index.put(a_training("digits").obj())
    return Reconciler(api, index, {"ModelTraining": logic.kind}, readers or {}, "pod-1", lambda: NOW)


def outcome(logic: Logic, api: Recorder | None = None) -> float | None:
    """One reconcile."""
    return run(reconciler(logic, api or Recorder()).reconcile(KEY))


def test_an_object_that_is_gone_needs_nothing() -> None:
    api = Recorder()
    assert run(Reconciler(api, Index(), {"ModelTraining": Logic().kind}, {}).reconcile(KEY)) is None
    assert api.calls == []


def test_the_plan_says_when_to_come_back() -> None:
    assert outcome(Logic(Plan(requeue_after=42))) == 42


def test_an_empty_plan_sends_nothing() -> None:
    api = Recorder()
    outcome(Logic(Plan()), api)
    assert api.calls == []


SECOND = {"kind": "Job", "metadata": {"name": "k", "namespace": "team"}}


@pytest.mark.parametrize(
    ("begins_first", "status", "waves", "created"),
    [
        (True, {}, ((), (CHILD,), (SECOND,)), ["Job j"]),
        (True, {}, ((), (SECOND,)), ["Job k"]),
        (True, {"state": "Running"}, ((CHILD,), (SECOND,)), ["Job j", "Job k"]),
        (False, {}, ((CHILD,), (SECOND,)), ["Job j", "Job k"]),
    ],
    ids=["new", "in its last wave", "known", "of another kind"],
)
def test_while_new_ones_wait_a_new_object_gets_its_first_creates(
    begins_first: bool, status: Obj, waves: tuple[tuple[Obj, ...], ...], created: list[str]
) -> None:
    index, api = Index(), Recorder()
    index.put(a_training("digits").obj() | {"status": status})
    kind = replace(Logic(Plan(create=waves, requeue_after=42)).kind, begins_first=begins_first)
    again = run(Reconciler(api, index, {"ModelTraining": kind}, {}).reconcile(KEY, lambda: True))
    assert [name for _, name in api.calls] == created
    assert again == (42 if waves[-1][0]["metadata"]["name"] in str(created) else 0)


def test_a_worker_finishes_a_new_object_when_no_other_new_one_waits() -> None:
    seen: list[str] = []

    async def story() -> None:
        queue, index = KeyedQueue(), Index()

        class Busy(Recorder):
            async def create(self, obj: Obj) -> Obj:
                seen.append(obj["metadata"]["name"])
                if len(seen) == 1:
                    queue.add(Key("ModelTraining", "team", "other"), new=True)
                return await super().create(obj)

        index.put(a_training("digits").obj())
        logic = Logic(Plan(create=((CHILD,), (SECOND,))), Plan(create=((SECOND,), (CHILD,))))
        kind = replace(logic.kind, begins_first=True)
        task = asyncio.create_task(work(queue, Reconciler(Busy(), index, {"ModelTraining": kind}, {})))
        queue.add(KEY, new=True)
        await asyncio.sleep(1)
        task.cancel()

    run(story())
    assert seen == ["j", "k", "j"]


def test_what_a_plan_wants_to_read_is_read_before_it_is_made() -> None:
    logic = Logic(reads=(Ref("ConfigMap", "team", "code"), Ref("Job", "team", "gone")))
    outcome(logic, Recorder(a_config_map("code")))
    assert list(logic.seen[0].related) == [("ConfigMap", "code")]


def test_a_question_is_answered_by_the_reader_of_its_name_and_not_by_the_api_server() -> None:
    async def weather(target: Ref, snapshot: Snapshot) -> Obj | None:
        return {"in": target.name, "for": snapshot.name} if target.name == "Paris" else None

    api, logic = Recorder(), Logic(reads=(Ref("Weather", "team", "Paris"), Ref("Weather", "team", "nowhere")))
    run(reconciler(logic, api, readers={"Weather": weather}).reconcile(KEY))
    assert logic.seen[0].related == {("Weather", "Paris"): {"in": "Paris", "for": "digits"}}
    assert api.calls == []


def test_a_training_that_a_plan_reads_comes_from_the_index() -> None:
    api, logic = Recorder(), Logic(reads=(Ref("ModelTraining", "team", "digits"),))
    outcome(logic, api)
    assert api.calls == []
    assert list(logic.seen[0].related) == [("ModelTraining", "digits")]


def test_the_plan_is_made_from_the_snapshot_whose_questions_were_answered() -> None:
    index = Index()

    class Meanwhile(Recorder):
        async def get(self, _: Ref) -> None:
            index.put(a_training("digits").spec(image="new").meta(resourceVersion="2").obj())

    logic = Logic(reads=(Ref("ConfigMap", "team", "code"),))
    run(reconciler(logic, Meanwhile(), index).reconcile(KEY))
    assert logic.seen[0].obj["spec"]["image"] == "lamplighter/pytorch:dev"


def test_a_stale_snapshot_is_planned_anew_at_once() -> None:
    logic = Logic(TransientError("stale"), TransientError("stale"), Plan(requeue_after=7))
    assert outcome(logic) == 7


def test_a_snapshot_that_stays_stale_gives_up_for_now() -> None:
    with pytest.raises(TransientError):
        outcome(Logic(*[TransientError("stale")] * 9))


def test_a_refusal_is_reported_and_tried_again_in_a_minute() -> None:
    api, logic = Recorder(), Logic(Plan(create=((CHILD,),), status={"state": "Pending"}))
    api.fail("create", "Job", INVALID)
    assert outcome(logic, api) == 60
    assert [error.reason for error in logic.told] == ["Refused"]
    assert [obj["status"] for obj in api.sent if "status" in obj] == [{"state": "Refused"}]


def times(story: Callable[[KeyedQueue], Logic | Exception], until: float) -> list[float]:
    """The moments at which a worker looked at the key."""
    looked: list[float] = []

    class Watched(Reconciler):
        async def reconcile(self, key: Key, new_ones_wait: Callable[[], bool] = lambda: False) -> float | None:
            looked.append(now())
            return await super().reconcile(key, new_ones_wait)

    async def worker() -> None:
        queue = KeyedQueue(backoff_first=1.0, backoff_max=60.0)
        what = story(queue)
        logic = what if isinstance(what, Logic) else Logic(*[what] * 100)
        index = Index()
        index.put(a_training("digits").obj())
        task = asyncio.create_task(work(queue, Watched(Recorder(), index, {"ModelTraining": logic.kind}, {})))
        queue.add(KEY)
        await asyncio.sleep(until)
        assert not task.done()
        task.cancel()

    run(worker())
    return looked


@pytest.mark.parametrize("error", [BROKEN, TransientError("stale"), ValueError("a bug")], ids=["api", "stale", "bug"])
def test_after_an_error_the_worker_lives_and_comes_back_later_and_later(error: Exception) -> None:
    looked = times(lambda _: error, 600)
    pauses = [later - earlier for earlier, later in pairwise(looked)]
    assert 0.5 <= pauses[0] <= 1.0
    assert max(pauses) <= 60
    assert pauses[-1] >= 30
    assert len(looked) < 30


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BROKEN, {"ApiServerFails"}),
        (ValueError("a bug"), {"OperatorFails"}),
        (ApiError(429, "TooManyRequests", "later"), set()),
        (TransientError("stale"), set()),
    ],
    ids=["api", "bug", "throttled", "stale"],
)
def test_what_keeps_failing_is_reported(error: Exception, told: set[str]) -> None:
    logic = Logic(*[error] * 100)
    times(lambda _: logic, 8)
    assert logic.told == [], "it may be a hiccup"
    logic = Logic(*[error] * 100)
    times(lambda _: logic, 100)
    assert {said.reason for said in logic.told} == told


def test_a_worker_outlives_what_it_cannot_tell() -> None:
    class Mute(Logic):
        def _blocked(self, *_: object) -> Plan:
            raise ValueError("a bug")

    assert len(times(lambda _: Mute(*[BROKEN] * 100), 300)) > 8


def test_the_server_says_how_long_to_wait() -> None:
    throttled = ApiError(429, "TooManyRequests", "slow down", retry_after=100)
    assert times(lambda _: throttled, 250) == [0, 100, 200]


def test_after_a_success_the_worker_comes_back_when_the_plan_says() -> None:
    assert times(lambda _: Logic(Plan(requeue_after=10), Plan(requeue_after=20)), 100) == [0, 10, 30]


def test_a_success_forgets_earlier_failures() -> None:
    looked = times(lambda _: Logic(*[BROKEN] * 5, Plan(requeue_after=100), BROKEN), 300)
    assert 0.5 <= looked[-1] - looked[-2] <= 1.0


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BROKEN, "InternalError"), (TransientError("stale"), "Transient"), (ValueError("a bug"), "Bug")],
    ids=["api", "stale", "bug"],
)
def test_every_error_is_counted_by_its_reason(error: Exception, reason: str) -> None:
    def counted() -> float:
        labels = {"kind": "ModelTraining", "reason": reason}
        return REGISTRY.get_sample_value("lamplighter_reconcile_errors_total", labels) or 0.0

    before = counted()
    looked = times(lambda _: error, 0.25)
    assert counted() - before == len(looked) == 1
