"""Whose an object is, what time it is, and what a digest is made of."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import a_job, a_pod, a_training
from tests.builders.objects import Builder

from lamplighter.core.naming import digest, run_number
from lamplighter.core.objects import Ref, moment, timestamp
from lamplighter.core.plan import Event, Plan, Snapshot

TRAINING = a_training("digits").obj()
JOB = a_job(TRAINING).obj()


def owned(child: object, read: bool = False) -> bool:
    """Whether a child counts as the training's."""
    obj = child.obj() if isinstance(child, Builder) else child
    place = {(obj["kind"], obj["metadata"]["name"]): obj}  # type: ignore[index]
    snapshot = Snapshot(TRAINING, related=place) if read else Snapshot(TRAINING, place)
    return snapshot.owned(obj["kind"], obj["metadata"]["name"]) is not None  # type: ignore[index]


@pytest.mark.parametrize("read", [False, True], ids=["watched", "read"])
def test_a_child_is_ours_by_its_controller(read: bool) -> None:
    assert owned(JOB, read)
    assert not owned(a_job(a_training("digits").made_again().obj()), read)
    assert not owned(a_job(TRAINING).meta(ownerReferences=[]), read)
    assert not owned(a_job(TRAINING).meta(ownerReferences=[{"uid": TRAINING["metadata"]["uid"]}]), read)


def test_a_pod_is_ours_by_its_label_because_its_controller_is_the_job() -> None:
    assert owned(a_pod(JOB))
    assert not owned(a_pod(a_job(a_training("digits").made_again().obj()).obj()))


def test_children_are_selected_by_kind_and_labels_in_the_order_of_their_names() -> None:
    other = a_job(TRAINING, run=2)
    children = {(obj["kind"], obj["metadata"]["name"]): obj for obj in (other.obj(), JOB, a_pod(JOB).obj())}
    snapshot = Snapshot(TRAINING, children)
    assert [obj["metadata"]["name"] for obj in snapshot.all_owned("Job")] == ["digits-1-1", "digits-2-1"]
    assert snapshot.all_owned("Job", **{"lamplighter.dev/run": "2"}) == [other.obj()]


@pytest.mark.parametrize(("label", "number"), [("7", 7), ("", None), ("seven", None), ("-1", None), (None, None)])
def test_the_run_of_a_child_is_read_from_its_label_if_it_has_one(label: str | None, number: int | None) -> None:
    labels = {} if label is None else {"lamplighter.dev/run": label}
    assert run_number(a_job(TRAINING).meta(labels=labels).obj()) == number


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_a_moment_that_is_written_and_read_again_is_the_same_second(when: datetime) -> None:
    assert moment(timestamp(when)) == when.replace(microsecond=0)


def test_moments_are_written_in_utc() -> None:
    assert timestamp(datetime(2026, 11, 21, 13, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-21T12:00:00Z"


def test_a_moment_with_fractions_of_a_second_can_be_read() -> None:
    assert moment("2026-11-21T12:00:00.250000Z").microsecond == 250000


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "ü": [2]}) == digest({"ü": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest({})) == 8


@pytest.mark.parametrize(
    "plan",
    [
        Plan(create=((JOB,),)),
        Plan(patch=(JOB,)),
        Plan(status={"state": "Running"}),
        Plan(events=(Event("Normal", "A", "b"),)),
        Plan(delete=(Ref("Job", "team", "x"),)),
    ],
)
def test_a_plan_that_writes_anything_is_not_empty(plan: Plan) -> None:
    assert not plan.empty


@pytest.mark.parametrize("plan", [Plan(), Plan(requeue_after=1), Plan(create=((), ()))])
def test_a_plan_that_writes_nothing_is_empty(plan: Plan) -> None:
    assert plan.empty


def test_a_reference_reads_like_a_name() -> None:
    assert str(Ref("Job", "team", "digits-1-1", "uid")) == "Job team/digits-1-1"
