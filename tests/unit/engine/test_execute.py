"""A plan is carried out in its order, each step guarded."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.builders import Scene, a_job, a_training
from tests.builders.objects import Builder, Obj
from tests.unit import golden
from tests.unit.engine.quick import run
from tests.unit.engine.recorder import BROKEN, CONFLICT, EXISTS, GONE, INVALID, Recorder

from lamplighter.core.errors import TerminalError, TransientError
from lamplighter.core.objects import Ref
from lamplighter.core.plan import Event, Plan, Snapshot
from lamplighter.engine.api import ApiError
from lamplighter.engine.execute import execute
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key

TRAINING = a_training("digits").obj()
KEY = Key("ModelTraining", "team", "digits")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JOB = {key: value for key, value in a_job(TRAINING).obj().items() if key != "status"}
STARTED = Event("Normal", "RunStarted", "run 1 started")


def carry_out(plan: Plan, api: Recorder, index: Index | None = None) -> None:
    """Execute a plan for the training."""
    run(execute(plan, Snapshot(TRAINING), api, index or Index(), "pod-1", NOW))


def start() -> Plan:
    """The plan of a first run."""
    return Scene(a_training("digits").nodes(2)).plan()


def test_the_order_is_create_patch_status_events_delete() -> None:
    patch: Obj = {"kind": "Job", "metadata": {"name": "p", "namespace": "team", "uid": "u"}, "spec": {}}
    api = Recorder()
    plan = Plan(
        create=((JOB,),),
        patch=(patch,),
        status={"state": "Pending"},
        events=(STARTED,),
        delete=(Ref("Job", "team", "old", "u"),),
    )
    carry_out(plan, api)
    assert api.calls == [
        ("create", "Job digits-1-1"),
        ("patch", "Job p"),
        ("status", "ModelTraining digits"),
        ("create", "Event"),
        ("delete", "Job old"),
    ]


def test_a_wave_is_sent_after_the_one_before_it_has_ended() -> None:
    api = Recorder()
    carry_out(start(), api)
    names = [what for verb, what in api.calls if verb == "create"]
    assert names[0] == "ControllerRevision digits-1"
    assert set(names[1:]) == {"Job digits-1-1", "Service digits-1-1", "PersistentVolumeClaim digits-models"}


def test_the_objects_of_a_wave_are_sent_at_the_same_time() -> None:
    waiting: list[str] = []

    class Slow(Recorder):
        async def create(self, obj: Obj) -> Obj:
            waiting.append(obj["kind"])
            await asyncio.sleep(1)
            assert obj["kind"] == "ControllerRevision" or len(waiting) == 4
            return await super().create(obj)

    carry_out(start(), Slow())


def test_when_one_object_of_a_wave_fails_the_others_are_still_sent_and_the_status_is_not() -> None:
    api = Recorder()
    api.fail("create", "Job", BROKEN)
    with pytest.raises(ApiError):
        carry_out(start(), api)
    assert ("create", "PersistentVolumeClaim digits-models") in api.calls
    assert "status" not in {verb for verb, _ in api.calls}


def test_an_object_that_is_gone_when_its_status_is_written_is_forgotten() -> None:
    index, api = Index(), Recorder()
    index.put(TRAINING)
    api.fail("status", "ModelTraining", GONE)
    carry_out(Plan(status={"state": "Pending"}), api, index)
    assert index.snapshot(KEY) is None


def test_nothing_is_deleted_when_the_status_could_not_be_written() -> None:
    api = Recorder()
    api.fail("status", "ModelTraining", BROKEN)
    with pytest.raises(ApiError):
        carry_out(Plan(status={}, delete=(Ref("Job", "team", "old", "u"),)), api)
    assert api.calls == [("status", "ModelTraining digits")]


def test_every_answer_is_known_at_once() -> None:
    index = Index()
    index.put(TRAINING)
    carry_out(Plan(create=((JOB,),), status={"state": "Pending"}), Recorder(), index)
    snapshot = index.snapshot(KEY)
    assert snapshot is not None
    assert snapshot.owned("Job", "digits-1-1") is not None
    assert snapshot.obj["status"] == {"state": "Pending"}


def test_the_status_goes_with_the_version_that_was_read() -> None:
    api = Recorder()
    carry_out(Plan(status={"state": "Pending"}), api)
    assert api.sent[0]["metadata"] == {
        "name": "digits",
        "namespace": "team",
        "uid": TRAINING["metadata"]["uid"],
        "resourceVersion": "1",
    }


def test_our_own_object_of_the_name_is_taken_up_and_the_plan_is_made_anew() -> None:
    index, api = Index(), Recorder(a_job(TRAINING).meta(resourceVersion="7").obj())
    index.put(TRAINING)
    api.fail("create", "Job", EXISTS)
    with pytest.raises(TransientError, match="snapshot was stale"):
        carry_out(Plan(create=((JOB,),)), api, index)
    assert index.snapshot(KEY).owned("Job", "digits-1-1") is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stranger", "sentence"),
    [
        (Builder("batch/v1", "Job", "digits-1-1"), "exists and is not part of this ModelTraining (it has no owner)"),
        (
            a_job(a_training("letters").obj()).meta(name="digits-1-1"),
            "exists and is not part of this ModelTraining (it belongs to ModelTraining letters)",
        ),
    ],
    ids=["nobodys", "anothers"],
)
def test_a_strangers_object_of_the_name_is_left_alone_and_named(stranger: Builder, sentence: str) -> None:
    api = Recorder(stranger.obj())
    api.fail("create", "Job", EXISTS)
    with pytest.raises(TerminalError) as caught:
        carry_out(Plan(create=((JOB,),)), api)
    assert caught.value.reason == "NameTaken"
    assert sentence in str(caught.value)
    assert [verb for verb, _ in api.calls] == ["create", "get"]


def test_a_leftover_of_an_earlier_object_of_the_name_is_waited_for() -> None:
    api = Recorder(a_job(a_training("digits").made_again().obj()).obj())
    api.fail("create", "Job", EXISTS)
    with pytest.raises(TransientError, match="earlier ModelTraining digits is still being deleted"):
        carry_out(Plan(create=((JOB,),)), api)


def test_an_object_that_existed_a_moment_ago_is_tried_again() -> None:
    api = Recorder()
    api.fail("create", "Job", EXISTS)
    with pytest.raises(TransientError):
        carry_out(Plan(create=((JOB,),)), api)


def test_a_claim_without_owner_is_ours_by_its_labels() -> None:
    (claim,) = [obj for wave in start().create for obj in wave if obj["kind"] == "PersistentVolumeClaim"]
    existing = {**claim, "metadata": {**claim["metadata"], "uid": "x", "resourceVersion": "3"}}
    api = Recorder(existing)
    api.fail("create", "PersistentVolumeClaim", EXISTS, EXISTS)
    with pytest.raises(TransientError):
        carry_out(Plan(create=((claim,),)), api)
    existing["metadata"]["labels"] = {}
    with pytest.raises(TerminalError):
        carry_out(Plan(create=((claim,),)), api)


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_what_the_api_server_refuses_is_for_the_user_to_mend(verb: str) -> None:
    api = Recorder()
    api.fail(verb, "Job", INVALID)
    plan = Plan(create=((JOB,),)) if verb == "create" else Plan(patch=(JOB,))
    with pytest.raises(TerminalError, match=r"Job team/digits-1-1: spec\.template: Invalid value") as caught:
        carry_out(plan, api)
    assert caught.value.reason == "Refused"


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, 0])
def test_what_time_may_cure_is_tried_again(status: int) -> None:
    api = Recorder()
    api.fail("create", "Job", ApiError(status, "Whatever", "try again"))
    with pytest.raises(ApiError):
        carry_out(Plan(create=((JOB,),)), api)


def test_a_patch_of_something_that_is_gone_is_planned_anew() -> None:
    api = Recorder()
    api.fail("patch", "Job", GONE)
    with pytest.raises(TransientError):
        carry_out(Plan(patch=(JOB,)), api)


def test_a_status_conflict_fetches_the_newest_object_and_plans_anew() -> None:
    newest = a_training("digits").spec(image="new").meta(resourceVersion="9").obj()
    index, api = Index(), Recorder(newest)
    index.put(TRAINING)
    api.fail("status", "ModelTraining", CONFLICT)
    with pytest.raises(TransientError):
        carry_out(Plan(status={}), api, index)
    assert index.get(KEY)["spec"]["image"] == "new"  # type: ignore[index]


def test_the_status_of_something_that_is_gone_is_dropped() -> None:
    api = Recorder()
    api.fail("status", "ModelTraining", GONE)
    carry_out(Plan(status={}), api)


def test_an_event_that_cannot_be_sent_stops_nothing() -> None:
    api = Recorder()
    api.fail("create", "Event", BROKEN)
    carry_out(Plan(events=(STARTED,), delete=(Ref("Job", "team", "old", "u"),)), api)
    assert api.calls[-1] == ("delete", "Job old")


def test_events_of_one_plan_are_in_order_by_their_time() -> None:
    api = Recorder()
    carry_out(Plan(events=(Event("Normal", "Undoing", "a"), Event("Normal", "RolloutStarted", "b"))), api)
    names = [event["metadata"]["name"] for event in api.sent]
    assert names == sorted(names)  # the order in which `kubectl describe` shows them
    times = [event["eventTime"] for event in api.sent]
    assert [event["reason"] for event in api.sent] == ["Undoing", "RolloutStarted"]
    assert times[0] < times[1]


@pytest.mark.parametrize("message", ["run 1 started", "ü" * 3000, "😀" * 1000, "x" * 1023 + "ü"], ids=len)
def test_an_event_is_valid_whatever_it_says(message: str) -> None:
    api = Recorder()
    carry_out(Plan(events=(Event("Warning", "RunFailed", message),)), api)
    (event,) = api.sent
    assert len(event["note"].encode()) <= 1024
    assert message.startswith(event["note"])
    assert event["eventTime"] == "2026-11-21T12:00:00.000000Z"
    assert event["regarding"]["uid"] == TRAINING["metadata"]["uid"]
    golden.MODELS["Event"].model_validate(event)
