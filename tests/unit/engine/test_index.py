"""What is known, who has to look at it, and what is forgotten."""

import pytest
from tests.builders import a_deployment, a_job, a_pod, a_training, a_workload
from tests.builders.objects import Builder, Obj
from tests.builders.trainings import reported
from tests.unit.deployment.scenes import with_candidate

from lamplighter.core.objects import Ref
from lamplighter.deployment.model import references
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key

TRAINING, DEPLOYMENT = Key("ModelTraining", "team", "digits"), Key("ModelDeployment", "team", "digits")


def version(obj: Builder | Obj, number: int) -> Obj:
    """The object as of a resource version."""
    built = obj.obj() if isinstance(obj, Builder) else obj
    return {**built, "metadata": {**built["metadata"], "resourceVersion": str(number)}}


@pytest.fixture
def index() -> Index:
    return Index({"ModelDeployment": references})


def test_an_object_wakes_its_own_key(index: Index) -> None:
    assert index.put(version(a_training(), 1)) == {TRAINING}


def test_a_child_wakes_its_owner_by_its_labels(index: Index) -> None:
    job = a_job(a_training().obj()).obj()
    assert index.put(version(job, 1)) == {TRAINING}
    assert index.put(version(a_pod(job), 2)) == {TRAINING}


def test_objects_that_are_not_ours_are_not_kept(index: Index) -> None:
    index.put(version(a_training(), 1))
    assert index.put(version(Builder("v1", "Pod", "theirs", spec={}), 2)) == set()
    assert index.put(version(Builder("v1", "Pod", "odd").meta(labels={"lamplighter.dev/training": "x"}), 3)) == set()
    assert index.snapshot(TRAINING).children == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("number", [4, 5])
def test_an_event_that_is_older_or_as_old_as_what_is_known_is_dropped(index: Index, number: int) -> None:
    job = a_job(a_training().obj())
    index.put(version(a_training(), 1))
    index.put(version(job, 5))
    assert index.put(version(job.suspended(), number)) == set()
    assert index.snapshot(TRAINING).owned("Job", "digits-1-1")["spec"]["suspend"] is False  # type: ignore[index,union-attr]


def test_what_no_plan_reads_queues_no_key_and_its_version_counts(index: Index) -> None:
    scene, old, _ = with_candidate()
    workload = a_workload(scene.child("Deployment", old)).ready().obj()
    assert index.put(version(workload, 1)) == {DEPLOYMENT}
    progressing = [{"type": "Progressing", "status": "True"}]
    heard = {**workload, "status": {**workload["status"], "conditions": progressing, "updatedReplicas": 1}}
    assert index.put(version(heard, 3)) == set()
    refused = [*progressing, {"type": "ReplicaFailure", "status": "True"}]
    failing = {**heard, "status": {**heard["status"], "conditions": refused}}
    assert index.put(version(failing, 2)) == set(), "older than what is known"
    assert index.put(version(failing, 4)) == {DEPLOYMENT}


def test_versions_are_compared_as_numbers(index: Index) -> None:
    index.put(version(a_training(), 9))
    assert index.put(version(a_training(), 10)) == {TRAINING}


def test_the_answer_to_our_own_request_is_known_at_once_and_wakes_whom_it_concerns() -> None:
    woken: list[Key] = []
    index = Index({"ModelDeployment": references}, woken.append)
    index.put(version(a_deployment(), 1))
    index.learn(version(a_training(), 2))
    assert set(woken) == {TRAINING, DEPLOYMENT}
    assert index.put(version(a_training(), 2)) == set()
    assert index.get(TRAINING) is not None


def test_an_object_that_was_made_again_replaces_the_old_one(index: Index) -> None:
    index.put(version(a_training(), 1))
    again = version(a_training().made_again(), 5)
    assert index.put(again) == {TRAINING}
    assert index.remove(version(a_training(), 4)) == {TRAINING}
    assert index.get(TRAINING)["metadata"]["uid"] == again["metadata"]["uid"]  # type: ignore[index]


def test_a_child_that_was_made_again_survives_the_news_of_the_old_ones_end(index: Index) -> None:
    job = a_job(a_training().obj())
    index.put(version(a_training(), 1))
    old = version(job, 2)
    index.put(old)
    index.put(version(job.made_again(), 4))
    index.remove(old)
    assert index.snapshot(TRAINING).owned("Job", "digits-1-1") is not None  # type: ignore[union-attr]


def test_a_removed_child_is_gone_and_wakes_its_owner(index: Index) -> None:
    job = version(a_job(a_training().obj()), 2)
    index.put(version(a_training(), 1))
    index.put(job)
    assert index.remove(job) == {TRAINING}
    assert index.snapshot(TRAINING).children == {}  # type: ignore[union-attr]


def test_a_training_wakes_the_deployments_that_follow_it(index: Index) -> None:
    index.put(version(a_deployment(), 1))
    index.put(version(a_deployment("other").of("digits"), 1))
    index.put(version(a_deployment("letters").of("letters"), 1))
    woken = index.put(version(a_training(), 2))
    assert woken == {TRAINING, DEPLOYMENT, Key("ModelDeployment", "team", "other")}
    assert index.remove(version(a_training(), 3)) == woken


def test_a_training_of_another_namespace_queues_no_key_here(index: Index) -> None:
    index.put(version(a_deployment(), 1))
    assert DEPLOYMENT not in index.put(version(a_training().in_namespace("else"), 2))


def test_a_deployment_that_follows_another_training_now_is_not_woken_by_the_old_one(index: Index) -> None:
    index.put(version(a_deployment(), 1))
    index.put(version(a_deployment().of("letters"), 2))
    assert index.put(version(a_training(), 3)) == {TRAINING}
    assert DEPLOYMENT in index.put(version(a_training("letters"), 4))


def test_a_deployment_that_is_gone_is_not_woken(index: Index) -> None:
    index.put(version(a_deployment(), 1))
    index.remove(version(a_deployment(), 2))
    assert index.put(version(a_training(), 3)) == {TRAINING}


def test_of_what_is_gone_nothing_stays_in_memory(index: Index) -> None:
    job = a_job(a_training().obj()).obj()
    objects = [version(a_training(), 1), version(a_deployment(), 2), version(job, 3), version(a_pod(job), 4)]
    for obj in objects:
        index.put(obj)
    for obj in [*objects, *objects]:
        index.remove(obj)
    kept = [index._primary, index._children, index._dependents, index._depends_on]
    assert kept == [{}, {}, {}, {}]


def test_a_listing_forgets_what_it_does_not_have(index: Index) -> None:
    job = a_job(a_training().obj()).obj()
    for obj in (version(a_training(), 1), version(job, 2), version(a_pod(job), 3)):
        index.put(obj)
    assert index.sweep("Job", None, set()) == {TRAINING}
    assert index.sweep("Pod", "else", set()) == set()
    assert index.sweep("Pod", "team", {("team", "digits-1-1-0-x7k2p")}) == set()
    assert [kind for kind, _ in index.snapshot(TRAINING).children] == ["Pod"]  # type: ignore[union-attr]
    assert index.sweep("ModelTraining", None, set()) == {TRAINING}
    assert index.snapshot(TRAINING) is None


def test_a_listing_says_nothing_about_what_is_newer(index: Index) -> None:
    index.put(version(a_training(), 1))
    index.put(version(a_job(a_training().obj()), 5))
    assert index.sweep("Job", None, set(), "4") == set()
    assert index.sweep("Job", None, set(), "5") == {TRAINING}


def test_a_snapshot_does_not_change_when_the_index_does(index: Index) -> None:
    index.put(version(a_training(), 1))
    snapshot = index.snapshot(TRAINING)
    index.put(version(a_job(a_training().obj()), 2))
    assert snapshot is not None
    assert snapshot.children == {}


def test_a_snapshot_of_what_does_not_exist_is_none(index: Index) -> None:
    index.put(version(a_job(a_training().obj()), 1))
    assert index.snapshot(TRAINING) is None


def test_references_are_read_from_what_is_kept(index: Index) -> None:
    assert references(a_deployment().of("letters").obj()) == [Ref("ModelTraining", "team", "letters")]


def test_a_pod_is_found_by_its_own_name(index: Index) -> None:
    pod = version(a_pod(a_job(a_training().obj()).obj()), 2)
    name = pod["metadata"]["name"]
    assert index.pod("team", name) is None
    index.put(pod)
    found = index.pod("team", name)
    assert found is not None
    assert (found[0], found[1]["metadata"]["uid"]) == (TRAINING, pod["metadata"]["uid"])
    assert index.pod("other", name) is None
    index.remove(pod)
    assert index.pod("team", name) is None


def test_the_last_report_is_kept_until_the_object_goes(index: Index) -> None:
    index.note(TRAINING, reported(0))
    assert index.report(TRAINING) is None
    training = version(a_training(), 1)
    index.put(training)
    for step in (1, 2):
        index.note(TRAINING, reported(step))
    assert index.report(TRAINING) == reported(2)
    assert list(index.reports()) == [(TRAINING, reported(2))]
    index.remove(training)
    assert index.report(TRAINING) is None
