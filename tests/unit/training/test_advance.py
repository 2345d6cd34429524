"""A run under way, and how it ends well."""

import pytest
from tests.builders import SHA, Scene, a_job, a_pod, a_training, at
from tests.builders.objects import Obj

from lamplighter.core.objects import Ref

PACKAGED = a_training("digits").nodes(2).packaged().obj()
TRAIN, PACKAGE = a_job(PACKAGED), a_job(PACKAGED, stage="package")


def started(training: Obj = PACKAGED) -> Scene:
    """A scene in which the first Job was created."""
    scene = Scene(training)
    scene.act()
    return scene


def packaging() -> Scene:
    """A scene in which the package stage's Job was created."""
    scene = started()
    scene.having(a_job(PACKAGED).succeeded()).act()
    return scene


def test_a_run_whose_job_was_just_created_waits_for_its_pods() -> None:
    scene = started()
    assert scene.plan().status is not None
    scene.act()
    assert scene.state == "Pending"
    assert scene.told("Ready")[2] == "run 1, stage train, attempt 1: waiting for 2 pods to run"


def test_a_run_is_running_when_all_its_pods_run() -> None:
    scene = started().having(*(a_pod(TRAIN.obj(), index).running() for index in (0, 1)))
    scene.act()
    assert scene.state == "Running"
    assert scene.told("Ready") == ("False", "Running", "run 1, stage train, attempt 1: 2 pods running")
    assert scene.told("Reconciling")[0] == "True"


def test_one_running_pod_of_two_is_not_a_running_run() -> None:
    scene = started().having(a_pod(TRAIN.obj(), 0).running(), a_pod(TRAIN.obj(), 1).pending())
    scene.act()
    assert scene.state == "Pending"


def test_a_pod_that_saw_another_go_does_not_make_the_run_pending_again() -> None:
    scene = started().having(*(a_pod(TRAIN.obj(), index).running() for index in (0, 1))).settle()
    scene.having(a_pod(TRAIN.obj(), 0).told(1, reason="PeerLost", message="closed by peer"))
    assert scene.plan().empty
    assert scene.plan().requeue_after == 1


def test_pods_of_another_stage_or_attempt_do_not_count() -> None:
    others = [a_job(PACKAGED, run=2), a_job(PACKAGED, attempt=2), PACKAGE]
    scene = started().having(*(a_pod(job.obj(), index).running() for job in others for index in (0, 1)))
    scene.act()
    assert scene.state == "Pending"


def test_a_run_without_changes_needs_nothing_written() -> None:
    scene = started().having(*(a_pod(TRAIN.obj(), index).running() for index in (0, 1))).settle()
    assert scene.after(3600).plan().empty


def test_suspending_patches_only_suspend_and_names_the_uid() -> None:
    scene = started().settle().edit(suspend=True)
    uid = scene.child("Job", "digits-1-1")["metadata"]["uid"]
    assert scene.plan().patch == (
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "digits-1-1", "namespace": "team", "uid": uid},
            "spec": {"suspend": True},
        },
    )


def test_a_suspended_run_is_shown_as_such_and_continues_when_it_is_resumed() -> None:
    scene = started().edit(suspend=True).settle()
    assert scene.state == "Suspended"
    scene.edit(suspend=False)
    assert [patch["spec"] for patch in scene.plan().patch] == [{"suspend": False}]
    assert scene.settle().state == "Pending"


def test_a_changed_suspend_is_no_changed_spec() -> None:
    scene = started().settle().edit(suspend=True, ttlAfterFinished="1h", historyLimit=3, onChange="Restart").settle()
    assert scene.obj["status"]["run"]["number"] == 1
    assert scene.names("Job") == ["digits-1-1"]


def test_a_recorded_job_that_seems_gone_is_read_before_it_is_believed() -> None:
    scene = started().without("Job", "digits-1-1")
    assert scene.reads == [Ref("Job", "team", "digits-1-1")]
    scene.related["Job", "digits-1-1"] = a_job(PACKAGED).obj()
    assert scene.plan().status is not None
    scene.act()
    assert scene.state == "Pending"


def test_a_recorded_job_that_is_gone_is_lost_and_never_made_again() -> None:
    scene = started().without("Job", "digits-1-1").settle()
    assert scene.names("Job") == []
    assert scene.state == "Lost"
    status, reason, message = scene.told("Stalled")
    assert (status, reason) == ("True", "Lost")
    assert "kubectl annotate modeltraining digits --overwrite lamplighter.dev/retrain=" in message


def test_a_lost_package_job_is_not_made_again_either() -> None:
    scene = packaging().without("Job", "digits-1-package-1").settle()
    assert scene.names("Job") == ["digits-1-1"]
    assert scene.state == "Lost"


@pytest.mark.parametrize("condition", ["SuccessCriteriaMet", "Complete"])
def test_the_package_stage_follows_the_train_stage(condition: str) -> None:
    scene = started().having(a_job(PACKAGED).condition(condition))
    scene.act()
    assert scene.names("Job") == ["digits-1-1", "digits-1-package-1"]
    assert scene.state == "PackagePending"
    assert scene.obj["status"]["run"]["stage"] == "package"
    assert scene.obj["status"]["run"]["job"] == "digits-1-package-1"


def test_the_package_stage_needs_no_service_and_one_pod() -> None:
    scene = packaging()
    assert scene.names("Service") == ["digits-1-1"]
    assert scene.child("Job", "digits-1-package-1")["spec"]["parallelism"] == 1


def test_the_package_stage_of_a_suspended_training_is_created_suspended() -> None:
    scene = started().settle().edit(suspend=True)
    scene.having(a_job(PACKAGED).suspended().succeeded()).act()
    assert scene.child("Job", "digits-1-package-1")["spec"]["suspend"] is True


def test_the_package_stage_runs_what_was_frozen_not_what_was_edited_since() -> None:
    scene = started().settle().edit(package={"handler": "other.py"}, image="other")
    scene.having(a_job(PACKAGED).succeeded()).act()
    (container,) = scene.child("Job", "digits-1-package-1")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "lamplighter/pytorch:dev"
    assert '"handler": "handler.py"' in container["env"][-1]["value"]


def test_a_run_that_packaged_its_model_succeeds_with_uri_and_digest() -> None:
    pod = a_pod(PACKAGE.obj()).succeeded(reason="Packaged", sha256=SHA, sizeBytes=1234, file="model.mar")
    scene = packaging().having(a_job(PACKAGED, stage="package").succeeded(), pod)
    plan = scene.act()
    path = scene.obj["status"]["run"]["path"]
    artifact = {"uri": f"pvc://digits-models/{path}/model.mar", "sha256": SHA, "sizeBytes": 1234}
    assert scene.obj["status"]["run"]["artifact"] == artifact
    assert scene.obj["status"]["latest"] == {
        "run": 1,
        "state": "Succeeded",
        "artifact": artifact,
        "startTime": at(),
        "completionTime": at(),
        "restarts": 0,
        "executions": 1,
        "metrics": {},
    }
    assert scene.obj["status"]["history"] == [scene.obj["status"]["latest"]]
    assert scene.told("Ready") == ("True", "Succeeded", f"run 1 succeeded: {artifact['uri']}, sha256 {SHA}")
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "RunSucceeded")]


def test_a_run_without_packaging_succeeds_and_is_not_the_latest_model() -> None:
    training = a_training("digits").obj()
    scene = started(training).having(a_job(training).succeeded())
    scene.act()
    assert scene.state == "Succeeded"
    assert "latest" not in scene.obj["status"]
    assert scene.told("Ready")[2] == "run 1 succeeded; without spec.package there is no archive to deploy"


def test_the_digest_is_waited_for_as_long_as_it_may_come() -> None:
    scene = packaging().having(a_job(PACKAGED, stage="package").succeeded(since=0))
    assert scene.after(9).plan().empty
    assert scene.plan().requeue_after == 1


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"sha256": "a" * 63},
        {"sha256": "g" * 64},
        {"sha256": 7},
        {"sha256": SHA, "sizeBytes": -1},
        {"sha256": SHA, "sizeBytes": 2**70},
    ],
    ids=str,
)
def test_a_package_stage_that_tells_no_digest_fails(told: Obj) -> None:
    pod = a_pod(PACKAGE.obj()).succeeded(reason="Packaged", **told)
    scene = packaging().having(a_job(PACKAGED, stage="package").succeeded(), pod).after(20)
    scene.act()
    assert scene.told("Ready")[1:] == (
        "NoDigest",
        "run 1, stage package, attempt 1: Job digits-1-package-1 succeeded but reported no sha256 of the archive. "
        "Does the image lamplighter/pytorch:dev contain lamplighter-package?",
    )


def test_a_finished_run_is_not_run_again_even_when_everything_of_it_is_deleted() -> None:
    training = a_training("digits").obj()
    scene = started(training).having(a_job(training).succeeded()).settle()
    before = scene.obj["status"]
    scene.children.clear()
    assert scene.after(10**6).plan().empty
    assert scene.obj["status"] == before


def test_a_revision_that_was_deleted_during_the_run_is_created_again() -> None:
    scene = started().settle().without("ControllerRevision", "digits-1")
    scene.act()
    assert scene.names("ControllerRevision") == ["digits-1"]
    assert scene.plan().empty


def test_the_digest_is_read_from_the_package_container_whatever_was_injected_before_it() -> None:
    pod = a_pod(PACKAGE.obj()).succeeded(reason="Packaged", sha256=SHA, sizeBytes=1).obj()
    sidecar = {"name": "mesh", "state": {"terminated": {"exitCode": 143, "message": "mesh: bye"}}}
    pod["status"]["initContainerStatuses"] = [sidecar]
    scene = packaging().having(a_job(PACKAGED, stage="package").succeeded(), pod)
    scene.act()
    assert scene.obj["status"]["run"]["artifact"]["sha256"] == SHA


def test_overrides_of_a_container_reach_only_the_stage_that_has_it() -> None:
    limits = {"resources": {"limits": {"memory": "1Gi"}}}
    containers = [{"name": "trainer", "env": [{"name": "A", "value": "1"}]}, {"name": "package", **limits}]
    training = a_training("digits").spec(
        package={"handler": "handler.py"}, template={"spec": {"containers": containers}}
    )
    scene = Scene(training).settle()
    (trainer,) = scene.child("Job", "digits-1-1")["spec"]["template"]["spec"]["containers"]
    assert trainer["env"][-1] == {"name": "A", "value": "1"}
    scene.having(a_job(training.obj()).succeeded()).settle()
    (package,) = scene.child("Job", "digits-1-package-1")["spec"]["template"]["spec"]["containers"]
    assert package["resources"]["limits"] == {"memory": "1Gi"}
    assert package["resources"]["requests"]["cpu"] == "100m"
