"""Which pods may report."""

import pytest
from tests.builders import a_job, a_pod, a_training
from tests.builders.objects import Builder, at, later
from tests.unit.progress.scenes import KEY, a_running_training, a_scene, caller_of, removed
from tests.unit.training.stages.made_up import an_order_of_five

from lamplighter.core.objects import Obj
from lamplighter.engine.index import Index
from lamplighter.progress.admission import LAG, Sender, admit
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.tokens import Caller


def status(index: Index, caller: Caller, now: float = 0.0) -> int:
    """How it is refused."""
    with pytest.raises(Refusal) as refused:
        admit(index, caller, now)
    assert (refused.value.retry_after is not None) == (refused.value.status == 503)
    return refused.value.status


def test_a_pod_of_the_current_attempt_may() -> None:
    index, _, pod = a_scene()
    meta = pod["metadata"]
    assert admit(index, caller_of(pod), 0) == Sender(KEY, meta["name"], meta["uid"], 1, "train", 1, later(-60))


def test_a_pod_that_the_watches_have_not_delivered_is_to_try_again_for_some_seconds() -> None:
    index, _, pod = a_scene()
    unknown = caller_of(pod, since=100.0, name="digits-1-1-0-other")
    assert status(index, unknown, now=100 + LAG - 1) == 503
    assert status(index, unknown, now=100 + LAG) == 403


def test_a_pod_whose_job_the_watches_have_not_delivered_is_to_try_again_for_some_seconds() -> None:
    index, job, pod = a_scene()
    removed(index, job)
    assert status(index, caller_of(pod)) == 503
    assert status(index, caller_of(pod), now=LAG) == 403


def test_another_pod_of_the_same_name_may_not() -> None:
    index, _, pod = a_scene()
    assert status(index, caller_of(pod, uid="another")) == 403


def test_a_pod_of_the_same_name_in_another_namespace_may_not() -> None:
    index, _, pod = a_scene()
    assert status(index, caller_of(pod, namespace="other"), now=LAG) == 403


@pytest.mark.parametrize("owner", ["none", "not a controller", "a Deployment", "another Job of that name"])
def test_a_pod_that_has_our_labels_and_is_not_controlled_by_our_job_may_not(owner: str) -> None:
    index, _, pod = a_scene()
    (reference,) = pod["metadata"]["ownerReferences"]
    owners = {
        "none": [],
        "not a controller": [{**reference, "controller": False}],
        "a Deployment": [{**reference, "kind": "Deployment"}],
        "another Job of that name": [{**reference, "uid": "another"}],
    }
    fake = {**pod, "metadata": {**pod["metadata"], "ownerReferences": owners[owner], "resourceVersion": "2"}}
    index.put(fake)
    assert status(index, caller_of(fake), now=LAG) == 403


def test_a_pod_of_a_job_that_the_training_does_not_control_may_not() -> None:
    training = a_running_training().obj()
    job = a_job(training).meta(ownerReferences=[]).obj()
    index, pod = Index(), a_pod(job).meta(creationTimestamp=at()).obj()
    for obj in (training, job, pod):
        index.put(obj)
    assert status(index, caller_of(pod)) == 403


def test_a_pod_whose_attempt_label_was_taken_away_may_not() -> None:
    index, _, pod = a_scene()
    marks = {key: value for key, value in pod["metadata"]["labels"].items() if "attempt" not in key}
    index.put({**pod, "metadata": {**pod["metadata"], "labels": marks, "resourceVersion": "2"}})
    assert status(index, caller_of(pod)) == 403


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (a_running_training(attempt=2), 410),
        (a_running_training(run=2), 410),
        (a_running_training(state="Failed"), 410),
        (a_running_training(state="Succeeded"), 410),
        (a_running_training(job="digits-1-package-1"), 410),
        (a_training("digits"), 503),
    ],
    ids=["next attempt", "next run", "failed", "succeeded", "next stage", "not recorded yet"],
)
def test_the_status_of_the_training_names_the_attempt_that_may(training: Builder, expected: int) -> None:
    index, _, pod = a_scene(training)
    assert status(index, caller_of(pod)) == expected


def test_an_attempt_that_is_not_recorded_yet_is_to_try_again() -> None:
    index, _, pod = a_scene(a_running_training(attempt=1), attempt=2)
    assert status(index, caller_of(pod)) == 503


def test_a_second_attempt_at_training_is_over_when_the_run_packages_for_the_first_time() -> None:
    packaging = a_running_training(attempt=1, stage="package", job="digits-1-package-1")
    index, _, pod = a_scene(packaging, attempt=2)
    assert status(index, caller_of(pod)) == 410


def test_a_pod_of_an_earlier_attempt_whose_job_was_removed_is_to_stop() -> None:
    index, job, pod = a_scene(a_running_training(attempt=2))
    removed(index, job)
    assert status(index, caller_of(pod)) == 410


def gone(training: Obj, index: Index) -> None:
    index.remove(training)


def made_again(training: Obj, index: Index) -> None:
    index.put(a_running_training().made_again().meta(resourceVersion="9").obj())


@pytest.mark.parametrize("happens", [gone, made_again])
def test_a_pod_of_a_training_that_was_deleted_is_to_stop(happens: object) -> None:
    index, _, pod = a_scene()
    happens(index.get(KEY), index)  # type: ignore[operator]
    assert status(index, caller_of(pod)) == 410


@pytest.mark.parametrize(
    ("stage", "recorded", "expected"),
    [("data", "train", 410), ("train", "data", 503), ("check", "check", 410), ("data", "check", 410)],
    ids=["an earlier stage", "a later stage", "one that does not report", "an earlier stage, not the first"],
)
def test_the_stage_of_a_pod_is_held_against_the_order_of_stages(stage: str, recorded: str, expected: int) -> None:
    with an_order_of_five():
        training = a_running_training(stage=recorded, job=None if recorded == "train" else f"digits-1-{recorded}-1")
        index, _, pod = a_scene(training, stage=stage)
        assert status(index, caller_of(pod)) == expected


def test_a_pod_of_a_first_stage_that_reports_may() -> None:
    with an_order_of_five():
        index, _, pod = a_scene(a_running_training(stage="data", job="digits-1-data-1"), stage="data")
        assert admit(index, caller_of(pod), 0).stage == "data"


def test_a_pod_whose_stage_label_was_taken_away_may_not() -> None:
    index, _, pod = a_scene()
    marks = {key: value for key, value in pod["metadata"]["labels"].items() if "stage" not in key}
    index.put({**pod, "metadata": {**pod["metadata"], "labels": marks, "resourceVersion": "2"}})
    assert status(index, caller_of(pod)) == 403
