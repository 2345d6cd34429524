"""Gangs of two pods on two Nodes, as most tests of failures begin with them."""

from tests.builders import Scene, a_job, a_node, a_pod, a_training
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.trainings import Job, Training

GANG = a_training("digits").nodes(2).obj()
NODES = ("node-0", "node-1")
ENDS = {
    "UserError": lambda one: one.failed(1, "ValueError: boom"),
    "OutOfMemory": lambda one: one.oom_killed(),
    "Hang": lambda one: one.told(75, reason="Hang", message="rank 0 is silent"),
    "Infrastructure": lambda one: one.disrupted("DeletionByPodGC"),
    "Hardware": lambda one: one.told(1, reason="GPUFailed", message="Xid 79"),
    "Preempted": lambda one: one.disrupted("PreemptionByScheduler"),
}


def job(attempt: int = 1, training: Obj = GANG, stage: str = "train") -> Job:
    """The Job of an attempt of run 1."""
    return a_job(training, attempt=attempt, stage=stage)


def pod(index: int = 0, attempt: int = 1, training: Obj = GANG) -> Pod:
    """A pod of an attempt, on the Node of its index."""
    return a_pod(job(attempt, training).obj(), index).on(NODES[index % 2])


def created(training: Training | Obj = GANG) -> Scene:
    """A scene in which the first attempt's Job was created, or waits to be."""
    return Scene(training, *map(a_node, NODES)).settle()


def runs(scene: Scene, attempt: int = 1, since: float = 0.0) -> Scene:
    """All pods of an attempt run, since ``since`` seconds after NOW."""
    training = scene.obj
    width = scene.child("Job", job(attempt, training).obj()["metadata"]["name"])["spec"]["parallelism"]
    started = a_job(training, attempt=attempt).spec(parallelism=width, completions=width).started(since)
    its_pods = [pod(index, attempt, training).created(since).running() for index in range(width)]
    return scene.having(started, *its_pods).settle()


def running(training: Training | Obj = GANG) -> Scene:
    """A scene in which the first attempt runs."""
    return runs(created(training))


def failing(*around: Pod) -> Scene:
    """A scene in which the first attempt ran, and its Job fails with what these pods tell."""
    return running().having(*around, job().started().failing())


def fails(scene: Scene, cause: str, now: float = 0.0) -> Scene:
    """The current attempt runs, and fails at this moment."""
    attempt = scene.run["attempt"]
    runs(scene.after(now), attempt, since=now)
    its_pod: Pod = ENDS[cause](pod(0, attempt, scene.obj).running())
    scene.having(its_pod).act()
    if scene.state == "Restarting":
        scene.act()
    return scene


def paused(failures: int, **backoff: str) -> Scene:
    """A scene in which this many attempts failed one after the other, each as soon as it ran."""
    scene = created(a_training("digits").nodes(2).may_fail(backoff=backoff))
    now = 0.0
    for _ in range(failures - 1):
        fails(scene, "Infrastructure", now)
        now += scene.plan().requeue_after or 0.0
        scene.after(now).settle()
    return fails(scene, "Infrastructure", now).settle()


def stopped(scene: Scene) -> list[str]:
    """The Jobs that are stopped now, and that by nothing but their deadline."""
    patches = [patch for patch in scene.plan().patch if "activeDeadlineSeconds" in patch["spec"]]
    assert all(patch["spec"] == {"activeDeadlineSeconds": 1} for patch in patches)
    assert all(patch["metadata"]["uid"] for patch in patches)
    return [patch["metadata"]["name"] for patch in patches]
