"""Stages that do not exist: what a data step before training, a check after it and a gate at the end could be."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from tests.builders import Scene, a_config_map, a_job, a_pod, a_training
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.trainings import Training

from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import Artifact, Run, TrainingSpec
from lamplighter.core.podtemplate import override
from lamplighter.training.stages import order
from lamplighter.training.stages.base import Stage, StageRun


def a_stage(name: str, **fields: object) -> Stage:
    """A stage of one container of its name, which runs that are started with ``--<name>`` go through."""

    def pod(own: StageRun) -> Obj:
        return override(own.pod({"name": name, "command": [f"do-{name}"], "env": own.environment()}), own.template())

    made = {"container": name, "state_word": name.capitalize(), "job_infix": name, "pod": pod}
    return Stage(name=name, **{"is_wanted": lambda spec: f"--{name}" in spec.args, **made, **fields})  # type: ignore[arg-type]


def verdict(_run: Run, _spec: TrainingSpec, said: Obj) -> Artifact | Failure | None:
    """The gate opens when its program says so."""
    if said.get("good"):
        return None
    return Failure(reason="NotGoodEnough", message="the model is not good enough", cause=Cause.USER_ERROR)


DATA = a_stage("data", width=lambda _: 2, reports_progress=True)
CHECK = a_stage("check")
GATE = a_stage("gate", conclude=verdict)


@contextmanager
def an_order_of_five() -> Iterator[None]:
    """Runs may go through data, train, check, package and gate."""
    train, package = order.STAGES
    with patch.object(order, "STAGES", (DATA, train, CHECK, package, GATE)):
        yield


def through(*stages: str) -> Training:
    """A training of two nodes whose runs go through these stages beside train and package."""
    args = [f"--{stage}" for stage in stages]
    return a_training("digits").nodes(2).packaged().with_source("code").spec(args=args)


def begun(*stages: str) -> Scene:
    """A scene in which the first stage of such a training has its Job."""
    return Scene(through(*stages), a_config_map("code")).settle()


def job_of(scene: Scene, stage: str, attempt: int = 1) -> Obj:
    """The Job of a stage of the scene's current run."""
    return scene.child("Job", a_job(scene.obj, scene.run["number"], stage, attempt).obj()["metadata"]["name"])


def pod_of(scene: Scene, stage: str, attempt: int = 1, index: int = 0) -> Pod:
    """A pod of that Job."""
    return a_pod(job_of(scene, stage, attempt), index)


def succeeds(scene: Scene, stage: str, **said: object) -> Scene:
    """The Job of a stage succeeds; ``said`` is the termination message of its first pod."""
    number = scene.run["number"]
    pod = pod_of(scene, stage).succeeded(**said)
    return scene.having(a_job(scene.obj, number, stage).succeeded(), pod).settle()
