"""Gangs of two pods on two Nodes, as most tests of failures begin with them."""

from tests.builders import Scene, a_job, a_node, a_pod, a_training
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.trainings import Job, Training

GANG = a_training("digits").nodes(2).obj()
NODES = ("node-0", "node-1")


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
    """All pods of an attempt run, since so many seconds after NOW."""
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
