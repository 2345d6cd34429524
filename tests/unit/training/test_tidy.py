"""What is removed, and when."""

import json

import pytest
from tests.builders import Scene, a_config_map, a_job, a_pod, a_training
from tests.builders.objects import Builder, owned_by

TRAINING = a_training("digits").nodes(2).with_source("code").spec(ttlAfterFinished="1h").obj()
EVIDENCE = [("ConfigMap", "digits-1"), ("Job", "digits-1-1"), ("Service", "digits-1-1")]


def finished(**spec: object) -> Scene:
    """Run 1 has ended at NOW; its end was just written."""
    training = TRAINING | {"spec": {**TRAINING["spec"], **spec}}
    scene = Scene(training, a_config_map("code")).settle()
    scene.having(a_job(training).succeeded()).act()
    return scene


def test_nothing_is_deleted_in_the_plan_that_ends_the_run() -> None:
    training = TRAINING | {"spec": {**TRAINING["spec"], "ttlAfterFinished": "0s"}}
    scene = Scene(training, a_config_map("code")).settle()
    assert scene.having(a_job(training).succeeded()).act().delete == ()
    assert sorted((ref.kind, ref.name) for ref in scene.act().delete) == EVIDENCE


def test_evidence_stays_until_its_time_is_over() -> None:
    plan = finished().after(3599).plan()
    assert plan.delete == ()
    assert plan.requeue_after == 1


def test_evidence_goes_when_its_time_is_over_with_its_uid_named() -> None:
    plan = finished().after(3600).plan()
    assert sorted((ref.kind, ref.name) for ref in plan.delete) == EVIDENCE
    assert all(ref.uid for ref in plan.delete)


def test_volume_and_revision_of_a_remembered_run_stay() -> None:
    scene = finished().after(3600).settle()
    assert sorted(scene.children) == [("ControllerRevision", "digits-1"), ("PersistentVolumeClaim", "digits-models")]
    assert scene.obj["status"]["history"][0]["state"] == "Succeeded"


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    scene = finished().after(3600)
    scene.children["Job", "digits-1-1"]["metadata"]["deletionTimestamp"] = "2026-11-21T13:00:00Z"
    assert "Job" not in {ref.kind for ref in scene.plan().delete}


def test_a_run_under_way_is_never_tidied() -> None:
    scene = Scene(TRAINING, a_config_map("code")).settle().after(10**8)
    assert scene.plan().delete == ()


def test_a_completion_in_the_future_counts_as_now() -> None:
    scene = finished().after(-600)
    assert scene.plan().requeue_after == 3600


@pytest.mark.parametrize("forever", ["99999999d", "99999999d" * 4])
def test_evidence_may_stay_for_ever(forever: str) -> None:
    plan = finished(ttlAfterFinished=forever).after(10**9).plan()
    assert plan.delete == ()
    assert plan.requeue_after is not None


def test_a_shorter_time_to_live_takes_effect_on_finished_runs() -> None:
    scene = finished().edit(ttlAfterFinished="1m").after(60)
    assert sorted((ref.kind, ref.name) for ref in scene.plan().delete) == EVIDENCE


def test_the_history_keeps_as_many_runs_as_it_may() -> None:
    scene = finished(historyLimit=2)
    for number in (2, 3, 4):
        scene.annotate(retrain=str(number)).settle()
        scene.having(a_job(TRAINING, run=number).succeeded()).settle()
    assert [entry["run"] for entry in scene.obj["status"]["history"]] == [3, 4]


def test_the_longest_history_of_the_wordiest_failures_fits_into_an_object() -> None:
    wordy = {"reason": "UserError", "message": "x" * 9000, "tail": ["y" * 600] * 30}
    scene = Scene(TRAINING, a_config_map("code")).settle()
    scene.having(a_job(TRAINING).failed(), a_pod(a_job(TRAINING).obj()).told(1, **wordy)).settle()
    assert scene.run["failure"]["log"] == ["y" * 512] * 20
    status = scene.obj["status"]
    status["history"] *= 100
    assert len(json.dumps(status).encode()) < 2**20


def test_what_belongs_to_forgotten_runs_is_deleted() -> None:
    scene = finished(historyLimit=1).annotate(retrain="2").settle()
    scene.having(a_job(TRAINING, run=2).succeeded()).settle()
    assert scene.names("ControllerRevision") == ["digits-2"]
    assert scene.names("Job") == ["digits-2-1"]
    assert scene.names("ConfigMap") == ["digits-2"]


def test_the_latest_model_is_remembered_beyond_the_history() -> None:
    training = a_training("digits").packaged().spec(historyLimit=1).obj()
    scene = Scene(training).settle().having(a_job(training).succeeded()).settle()
    package = a_job(training, stage="package").succeeded()
    scene.having(package, a_pod(package.obj()).succeeded(sha256="a" * 64)).settle()
    job = a_job(training, run=2)
    scene.annotate(retrain="2").settle().having(job.failed(), a_pod(job.obj()).failed()).settle()
    assert [entry["run"] for entry in scene.obj["status"]["history"]] == [2]
    assert scene.obj["status"]["latest"]["run"] == 1


def test_a_child_that_lost_its_run_label_is_left_alone() -> None:
    scene = finished().after(3600)
    del scene.children["Job", "digits-1-1"]["metadata"]["labels"]["lamplighter.dev/run"]
    scene.children["Service", "digits-1-1"]["metadata"]["labels"]["lamplighter.dev/run"] = "one"
    assert [ref.kind for ref in scene.plan().delete] == ["ConfigMap"]


def test_a_service_that_the_user_made_with_our_labels_is_left_alone() -> None:
    labels = a_job(TRAINING).obj()["metadata"]["labels"]  # kubectl expose copies them
    exposed = Builder("v1", "Service", "mine", spec={}).meta(labels=labels)
    assert "mine" not in {ref.name for ref in finished().having(exposed).after(3600).plan().delete}


def test_children_of_an_earlier_training_of_the_name_are_left_to_the_garbage_collector() -> None:
    earlier = a_training("digits").made_again().obj()
    leftover = a_job(earlier, run=1, attempt=7).meta(ownerReferences=owned_by(earlier))
    assert "digits-1-7" not in {ref.name for ref in finished().having(leftover).after(3600).plan().delete}


def test_a_run_that_waits_for_evidence_is_still_looked_at_in_time() -> None:
    scene = finished().annotate(retrain="2").settle().having(a_job(TRAINING, run=2).failing(since=100)).after(100)
    assert scene.plan().requeue_after == 1
