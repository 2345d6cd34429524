"""Trainings that the version without restarts began: its status knew neither causes nor executions."""

from tests.builders import Scene, at
from tests.builders.trainings import a_training
from tests.unit.training.gangs import job, pod, running

KNOWN = {
    *("number", "state", "stage", "attempt", "job", "claimName", "path"),
    *("artifact", "failure", "startTime", "completionTime"),
}
"""Fields of status.run then."""
RECORDED = {"run", "state", "artifact", "failure", "startTime", "completionTime"}
CAUSELESS = {"reason", "message", "pod", "node", "exitCode"}


def as_it_was(scene: Scene) -> Scene:
    """The scene with the status that the version before would have written."""
    status = scene.obj["status"]
    status["run"] = {key: value for key, value in status["run"].items() if key in KNOWN}
    status["history"] = [
        {key: value for key, value in entry.items() if key in RECORDED} for entry in status.get("history", ())
    ]
    for said in (status["run"], *status["history"]):
        if "failure" in said:
            said["failure"] = {key: value for key, value in said["failure"].items() if key in CAUSELESS}
    return scene


def test_a_run_under_way_continues_with_its_job_as_it_is() -> None:
    scene = as_it_was(running())
    plan = scene.act()
    assert (plan.create, plan.patch, plan.delete) == ((), (), ())
    assert (scene.run["state"], scene.run["executions"], scene.run["attempt"]) == ("Running", 1, 1)
    assert scene.plan().empty


def test_a_run_under_way_may_be_suspended() -> None:
    scene = as_it_was(running()).edit(suspend=True).settle()
    assert scene.child("Job", "digits-1-1")["spec"]["suspend"] is True


def test_a_run_under_way_that_loses_a_pod_starts_again() -> None:
    scene = as_it_was(running()).having(pod().running().disrupted("DeletionByPodGC")).settle()
    assert (scene.run["attempt"], scene.run["restarts"], scene.names("Job")) == (2, 1, ["digits-1-1", "digits-1-2"])


def test_a_run_under_way_with_a_users_error_ends() -> None:
    scene = as_it_was(running()).having(pod().failed(1, "ValueError: boom"), job().started().failing()).settle()
    assert (scene.run["state"], scene.run["failure"]["cause"]) == ("Failed", "UserError")


def test_a_run_that_failed_then_stays_failed_and_nothing_is_written() -> None:
    scene = running().having(pod().failed(1, "ValueError: boom"), job().started().failed()).settle()
    assert as_it_was(scene).plan().empty


def test_a_run_that_succeeded_then_is_not_repeated() -> None:
    scene = running().having(pod(0).succeeded(), pod(1).succeeded(), job().started().succeeded()).settle()
    assert as_it_was(scene).after(3600).plan().empty


def test_a_run_that_was_suspended_then_counts_no_time() -> None:
    scene = as_it_was(running(a_training("digits").nodes(2).spec(activeDeadline="1h")).edit(suspend=True).settle())
    scene.after(60).settle()
    assert scene.run["suspendedSince"] == at(60)
