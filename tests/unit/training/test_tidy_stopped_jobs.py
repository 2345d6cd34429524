"""The Jobs that attempts leave behind are stopped, once, and never another."""

import pytest
from tests.builders import a_training
from tests.builders.objects import at
from tests.unit.training.gangs import created, fails, job, pod, running, runs, stopped


def test_the_job_of_an_attempt_that_is_over_is_stopped_when_the_status_says_so() -> None:
    scene = running().having(pod(0).running().disrupted("DeletionByPodGC"))
    assert stopped(scene) == []
    scene.act()
    assert stopped(scene) == ["digits-1-1"]
    assert scene.plan().delete == ()


def test_a_job_is_stopped_once() -> None:
    scene = fails(created(), "Infrastructure").settle()
    assert stopped(scene) == []


@pytest.mark.parametrize("over", ["Failed", "FailureTarget", "Complete", "SuccessCriteriaMet"])
def test_a_job_that_is_over_by_itself_is_left_alone(over: str) -> None:
    scene = fails(created(), "Infrastructure").having(job().condition(over))
    assert (stopped(scene), scene.plan().delete) == ([], ())


def test_a_suspended_job_that_is_left_behind_is_deleted_since_a_queue_may_start_it() -> None:
    scene = fails(created(), "Infrastructure").having(job().suspended())
    assert stopped(scene) == []
    assert [ref.name for ref in scene.plan().delete] == ["digits-1-1"]


def test_the_job_of_a_run_that_ended_by_its_node_is_stopped() -> None:
    scene = fails(created(a_training("digits").nodes(2).may_fail(maxInfrastructureRestarts=0)), "Infrastructure")
    assert scene.state == "Failed"
    assert stopped(scene) == ["digits-1-1"]


def test_a_job_with_a_failed_pod_ends_by_itself_and_keeps_that_pod() -> None:
    scene = fails(created(), "UserError")
    assert scene.state == "Failed"
    assert stopped(scene) == []


def test_a_job_whose_pod_is_about_to_fail_is_not_stopped_before() -> None:
    scene = fails(created(), "UserError")
    its_pod = pod(0).failed(1, "ValueError: boom").status(phase="Running")
    assert stopped(scene.having(its_pod)) == []


def test_a_job_whose_failed_pod_is_held_up_by_a_sidecar_is_stopped_after_a_minute() -> None:
    scene = fails(created(), "UserError")
    its_pod = pod(0).failed(1, "ValueError: boom").status(phase="Running")
    assert scene.having(its_pod).plan().requeue_after == 60
    assert stopped(scene.after(60)) == ["digits-1-1"]


def test_a_sidecar_that_failed_long_ago_keeps_no_job() -> None:
    ended = {"exitCode": 1, "finishedAt": at(), "message": "mesh: boom"}
    its_pod = pod(1).running().with_sidecar({"running": {}}, last={"terminated": ended})
    scene = running().having(pod(0).running().disrupted("DeletionByPodGC"), its_pod)
    scene.act()
    assert stopped(scene) == ["digits-1-1"]


def test_a_failed_container_whose_end_is_unknown_keeps_no_job() -> None:
    its_pod = pod(0).failed(137, reason="ContainerStatusUnknown").status(phase="Running").obj()
    its_pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = None
    scene = running().having(its_pod, pod(1).running().disrupted("DeletionByPodGC"))
    scene.act()
    assert stopped(scene) == ["digits-1-1"]


def test_a_newer_attempts_job_that_the_status_does_not_tell_of_is_left_alone() -> None:
    scene = running().having(job(2))  # as if an older status had been restored
    assert (scene.run["attempt"], scene.names("Job")) == (1, ["digits-1-1", "digits-1-2"])
    assert (stopped(scene), scene.plan().delete) == ([], ())


def test_the_jobs_of_all_attempts_stay_to_be_looked_at_and_go_together() -> None:
    scene = runs(fails(created(), "Infrastructure"), 2).having(job(2).started().succeeded()).settle()
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]
    assert scene.after(86400).settle().names("Job") == []
