"""Gangs that do not start in time, and runs that take too long."""

import pytest
from tests.builders import Scene, a_training, later
from tests.builders.pods import Pod
from tests.unit.training.gangs import GANG, created, fails, job, paused, pod, runs, stopped

# a start that does not come


def starting(since: float = 0.0, **more: object) -> Scene:
    """A scene in which the pods may take ten minutes to start, and one does not."""
    training = a_training("digits").nodes(2).may_fail(startTimeout="10m").spec(**more)
    scene = created(training)
    return scene.having(job(training=training.obj()).started(since), pod(0, training=training.obj()).running())


def test_without_a_limit_pods_may_take_for_ever_to_start() -> None:
    scene = created().having(job().started(), pod(0).unschedulable()).settle()
    assert scene.after(10**7).waits() is None


def test_a_gang_that_does_not_start_in_time_ends_the_run() -> None:
    scene = starting().settle()
    assert scene.after(599).waits() == 1
    scene.after(600).act()
    failure = scene.run["failure"]
    assert (failure["cause"], failure["reason"]) == ("Unschedulable", "StartTimeout")
    assert failure["message"] == (
        "only 1 of 2 pods ran within spec.failurePolicy.startTimeout (10m). "
        "Request fewer resources or add Nodes; spec.failurePolicy.startTimeout sets how long to wait"
    )


@pytest.mark.parametrize(
    ("its_pod", "cause", "reason"),
    [
        (pod(1).unschedulable("x" * 9000), "Unschedulable", "Unschedulable"),
        (pod(1).waiting("ImagePullBackOff", "not found"), "Image", "ImagePullFailed"),
        (pod(1).waiting("CreateContainerConfigError", 'secret "hub" not found'), "Image", "ContainerConfigError"),
    ],
    ids=["room", "image", "configuration"],
)
def test_what_kept_it_from_starting_is_the_reason(its_pod: Pod, cause: str, reason: str) -> None:
    scene = starting().having(its_pod).after(600)
    scene.act()
    assert (scene.state, scene.run["failure"]["cause"], scene.run["failure"]["reason"]) == ("Failed", cause, reason)


def test_a_gang_that_ran_and_loses_a_pod_has_not_failed_to_start() -> None:
    scene = starting().having(pod(1).running()).settle()
    assert scene.state == "Running"
    scene.after(3600).without("Pod", "digits-1-1-1-x7k2p").act()  # the Job's word is on its way
    assert (scene.run["state"], scene.run["attempt"]) == ("Pending", 1)


def test_time_in_a_queue_is_not_time_to_start() -> None:
    training = a_training("digits").nodes(2).may_fail(startTimeout="10m").queued()
    assert created(training).settle().after(10**6).waits() is None


def test_pods_that_wait_for_those_of_the_attempt_before_are_not_called_unschedulable() -> None:
    training = a_training("digits").nodes(2).may_fail(startTimeout="10m")
    scene = fails(created(training), "Infrastructure")
    scene.having(job(2, training.obj()).started(), pod(0, 2).unschedulable(), pod(1, 2).unschedulable()).settle()
    assert scene.state == "Pending"
    assert scene.told("Ready")[2].endswith("attempt 2: waiting for 2 pods of earlier attempts to terminate")
    assert scene.after(10**6).waits() is None
    scene.having(pod(0).failed(), pod(1).failed()).after(60).settle()
    assert scene.state == "Unschedulable"


def test_a_run_that_takes_too_long_ends() -> None:
    scene = created(a_training("digits").nodes(2).spec(activeDeadline="1h"))
    runs(scene)
    assert scene.after(3599).waits() == 1
    plan = scene.after(3600).act()
    failure = scene.run["failure"]
    assert (failure["cause"], failure["reason"]) == ("Deadline", "DeadlineExceeded")
    assert failure["message"].startswith("the run took longer than spec.activeDeadline (1h). Raise spec.activeDeadline")
    assert [event.reason for event in plan.events] == ["RunFailed"]
    assert stopped(scene) == ["digits-1-1"]


def test_restarts_and_pauses_count_for_the_deadline() -> None:
    scene = paused(2).edit(activeDeadline="5s")
    scene.after(6).act()
    assert scene.run["failure"]["reason"] == "DeadlineExceeded"


def test_suspended_time_does_not_count_for_the_deadline() -> None:
    scene = runs(created(a_training("digits").nodes(2).spec(activeDeadline="1h")))
    scene.after(1000).edit(suspend=True).settle()
    assert scene.after(10**6).waits() is None
    scene.after(10**6 + 1000).edit(suspend=False)
    scene.children = {place: obj for place, obj in scene.children.items() if place[0] != "Pod"}
    scene.settle()
    assert scene.run["suspendedSeconds"] == 10**6
    assert scene.waits() == 2600
    assert scene.now == later(10**6 + 1000)


def test_a_run_that_succeeded_while_no_operator_ran_is_not_past_its_deadline() -> None:
    scene = runs(created(a_training("digits").nodes(2).spec(activeDeadline="1h")))
    scene.having(job(training=scene.obj).started().succeeded(since=60)).after(7200).act()
    assert scene.state == "Succeeded"


def test_a_deadline_that_is_raised_counts_at_once() -> None:
    scene = runs(created(GANG)).edit(activeDeadline="1h").settle()
    assert scene.edit(activeDeadline="2h").settle().after(3600).waits() == 3600
