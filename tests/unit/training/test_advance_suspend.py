"""Suspending and resuming a run, at every moment, with and without a queue."""

from collections.abc import Callable

import pytest
from tests.builders import Scene, a_job, a_training, at
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.trainings import Job, Training
from tests.unit.training.gangs import GANG, created, job, pod, running, runs

QUEUED = a_training("digits").nodes(2).queued()


def lost_pod(scene: Scene, attempt: int = 1, now: float = 0.0) -> Scene:
    """An attempt runs and fails of the infrastructure."""
    runs(scene.after(now), attempt, since=now)
    scene.having(pod(0, attempt, scene.obj).running().disrupted("DeletionByPodGC")).settle()
    return scene


def in_backoff(training: Training | Obj = GANG) -> Scene:
    """Two attempts failed; the third waits until ten seconds after NOW."""
    scene = lost_pod(lost_pod(created(training)), attempt=2)
    assert scene.state == "Restarting"
    return scene


def suspends(scene: Scene) -> list[tuple[str, bool]]:
    """Whose spec.suspend is changed now, and how."""
    return [
        (patch["metadata"]["name"], patch["spec"]["suspend"])
        for patch in scene.plan().patch
        if "suspend" in patch["spec"]
    ]


def test_a_resume_waits_for_the_pods_that_still_save_their_work() -> None:
    scene = running().edit(suspend=True).settle()
    scene.having(*(pod(index).running().deleted() for index in (0, 1))).edit(suspend=False).settle()
    assert suspends(scene) == []
    assert scene.child("Job", "digits-1-1")["spec"]["suspend"] is True
    scene.having(pod(0).failed(143).deleted(), pod(1).failed(143).deleted()).settle()
    assert scene.child("Job", "digits-1-1")["spec"]["suspend"] is True
    scene.without("Pod", "digits-1-1-0-x7k2p").without("Pod", "digits-1-1-1-x7k2p")
    assert suspends(scene) == [("digits-1-1", False)]


def test_a_resume_tells_what_it_waits_for() -> None:
    scene = running().edit(suspend=True).settle()
    scene.having(*(pod(index).running().deleted() for index in (0, 1))).edit(suspend=False).settle()
    assert (scene.state, scene.told("Reconciling")[0]) == ("Resuming", "True")
    assert scene.told("Ready")[2].endswith("waiting to resume: 2 pods from the previous start are still terminating")


ELASTIC = a_training("digits").nodes(2).elastic(1, 2).obj()
KEPT = {
    "preempted": lambda one: one.failed(143).disrupted("PreemptionByScheduler"),
    "deleted": lambda one: one.failed(143),
    "on a silent node": lambda one: one.running(),
}
RESUMED = {
    "start forgotten": lambda one: one,
    "start of the previous pods": lambda one: one.started(0),  # Kubernetes before 1.36
}


@pytest.mark.parametrize("resumed", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_a_resume_does_not_wait_for_ever_for_a_pod_that_was_deleted(
    kept: Callable[[Pod], Pod], resumed: Callable[[Job], Job]
) -> None:
    """The Job of an elastic gang keeps one that ended until it makes the next, which a suspended Job never does."""
    scene = running(ELASTIC).edit(suspend=True).settle().without("Pod", "digits-1-1-1-x7k2p")
    scene.having(kept(pod(0, training=ELASTIC)).created(0).deleted(2)).edit(suspend=False).settle()
    assert (suspends(scene), scene.waits()) == ([], 32)
    scene.after(32)
    assert suspends(scene) == [("digits-1-1", False)]
    after = resumed(job(training=ELASTIC).condition("Suspended"))
    scene.having(after).settle()  # not yet started again by the Job's controller
    assert (scene.run["attempt"], scene.state) == (1, "Pending")
    scene.having(job(training=ELASTIC).condition("Suspended", status="False").started(33)).settle()
    assert (scene.run["attempt"], scene.state) == (1, "Pending")


def test_a_pod_that_was_created_in_the_second_before_the_start_is_no_leftover() -> None:
    scene = running()
    lost = pod(1).created(60).running().disrupted("PreemptionByScheduler").deleted(65)
    scene.having(job().condition("Suspended", status="False").started(since=61), lost).after(65).settle()
    assert (scene.run["attempt"], scene.run["failures"]) == (2, {"Preempted": 1})


def test_how_pods_ended_before_a_suspension_says_nothing_about_those_after_it() -> None:
    scene = running()
    before = [pod(index).created(0).failed(1, "got SIGTERM", ended=30).deleted() for index in (0, 1)]
    scene.having(job().started(since=60), *before).after(61).act()
    assert (scene.run["attempt"], scene.run["state"]) == (1, "Pending")


def test_what_is_suspended_has_not_failed_whatever_its_pods_say() -> None:
    scene = running().edit(suspend=True).settle()
    scene.having(*(pod(index).told(143, reason="Terminated", message="asked to stop") for index in (0, 1))).settle()
    assert (scene.state, scene.run["attempt"]) == ("Suspended", 1)


def test_a_suspension_during_the_pause_holds_the_next_attempt() -> None:
    scene = in_backoff().edit(suspend=True).settle()
    assert scene.state == "Suspended"
    assert scene.told("Ready")[2].endswith("suspended between two attempts; set spec.suspend to false to continue")
    assert scene.after(10**6).waits() is None
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]


def test_a_resume_after_the_pause_starts_the_next_attempt_at_once() -> None:
    scene = in_backoff().edit(suspend=True).settle().after(100).edit(suspend=False).settle()
    assert scene.names("Job") == ["digits-1-1", "digits-1-2", "digits-1-3"]
    assert scene.child("Job", "digits-1-3")["spec"]["suspend"] is False
    assert (scene.run["suspendedSeconds"], "suspendedSince" in scene.run) == (100, False)


def test_a_resume_during_the_pause_waits_for_its_end() -> None:
    scene = in_backoff().edit(suspend=True).settle().after(4).edit(suspend=False).settle()
    assert (scene.state, scene.waits()) == ("Restarting", 6)


def test_a_failure_while_the_user_suspends_is_answered_when_it_is_resumed() -> None:
    scene = running().edit(suspend=True).having(pod(0).running().disrupted("DeletionByPodGC")).settle()
    assert (scene.state, scene.names("Job"), scene.run["attempt"]) == ("Suspended", ["digits-1-1"], 2)
    scene.edit(suspend=False).settle()
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]


def test_suspending_spends_nothing() -> None:
    scene = running()
    for _ in range(3):
        scene.edit(suspend=True).settle().edit(suspend=False).settle()
    assert (scene.run["attempt"], scene.run["restarts"], scene.run["failures"]) == (1, 0, {})


def test_suspension_is_remembered_from_its_first_moment() -> None:
    scene = running().after(5).edit(suspend=True).settle()
    assert scene.after(100).edit(ttlAfterFinished="1h").settle().run["suspendedSince"] == at(5)


def test_a_job_that_something_else_suspended_is_resumed() -> None:
    scene = running().having(job().suspended())
    scene.children = {place: obj for place, obj in scene.children.items() if place[0] != "Pod"}
    assert suspends(scene) == [("digits-1-1", False)]


# with a queue


def test_the_job_of_a_queued_training_is_made_suspended_with_the_queues_label() -> None:
    scene = created(QUEUED)
    queued = scene.child("Job", "digits-1-1")
    assert queued["spec"]["suspend"] is True
    assert queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert scene.state == "Queued"
    assert scene.told("Ready")[2].endswith("attempt 1: waiting in queue gpus")
    assert scene.told("Reconciling")[0] == "True"


def test_what_the_queue_holds_or_starts_is_never_touched() -> None:
    scene = created(QUEUED)
    assert suspends(scene) == []
    runs(scene)
    assert (scene.state, suspends(scene)) == ("Running", [])
    scene.having(a_job(scene.obj).suspended()).settle()
    assert (scene.state, suspends(scene)) == ("Queued", [])
    assert scene.told("Ready")[2].endswith(
        "waiting in queue gpus; 2 pods from the previous start are still terminating"
    )


def test_what_a_queue_stops_and_starts_again_is_the_same_attempt() -> None:
    scene = runs(created(QUEUED))
    scene.having(a_job(scene.obj).suspended()).settle()
    scene.children = {place: obj for place, obj in scene.children.items() if place[0] != "Pod"}
    runs(scene.after(60), since=60)
    assert (scene.run["attempt"], scene.run["executions"], scene.run["restarts"]) == (1, 2, 0)
    assert scene.run["suspendedSeconds"] == 60


def test_a_user_who_suspends_ends_the_queued_attempt_and_its_job_leaves_the_queue() -> None:
    scene = created(QUEUED).edit(suspend=True).settle()
    assert (scene.state, scene.run["attempt"], scene.names("Job")) == ("Suspended", 2, [])


def test_a_user_who_suspends_stops_what_the_queue_had_started() -> None:
    scene = runs(created(QUEUED)).edit(suspend=True).settle()
    assert (scene.state, scene.run["attempt"]) == ("Suspended", 2)
    stopped = scene.child("Job", "digits-1-1")["spec"]
    assert (stopped["suspend"], stopped["activeDeadlineSeconds"]) == (False, 1)


def test_a_user_who_resumes_queues_a_new_attempt() -> None:
    scene = created(QUEUED).edit(suspend=True).settle().edit(suspend=False).settle()
    assert (scene.state, scene.names("Job")) == ("Queued", ["digits-1-2"])
    assert scene.child("Job", "digits-1-2")["spec"]["suspend"] is True
    assert (scene.run["restarts"], scene.run["failures"]) == (0, {})


def test_a_queued_training_that_begins_suspended_gets_no_job_before_it_is_resumed() -> None:
    scene = created(a_training("digits").nodes(2).queued().suspended())
    assert (scene.state, scene.names("Job"), scene.names("ControllerRevision")) == ("Suspended", [], ["digits-1"])
    assert scene.after(10**6).waits() is None
    scene.edit(suspend=False).settle()
    assert (scene.state, scene.names("Job"), scene.run["attempt"]) == ("Queued", ["digits-1-1"], 1)


def test_a_queued_training_is_held_during_the_pause_like_any_other() -> None:
    scene = in_backoff(QUEUED).edit(suspend=True).settle()
    assert (scene.state, scene.waits()) == ("Suspended", None)
    scene.after(100).edit(suspend=False).settle()
    assert scene.child("Job", "digits-1-3")["spec"]["suspend"] is True


def test_a_queued_package_stage_is_held_by_the_user_too() -> None:
    training = a_training("digits").nodes(2).queued().packaged()
    scene = runs(created(training)).edit(suspend=True)
    scene.having(a_job(training.obj()).started().succeeded()).settle()
    assert (scene.state, scene.names("Job")) == ("PackageSuspended", ["digits-1-1"])
    scene.edit(suspend=False).settle()
    assert (scene.state, scene.run["attempt"]) == ("PackageQueued", 2)
