"""An operator of the next version, started over running objects, changes no child."""

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest
from pydantic import Field
from tests.builders import Scene, a_config_map, a_job, a_pod, a_training

from lamplighter.api.training import ModelTraining, TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.training import plan
from lamplighter.training.stages import order, train
from lamplighter.training.stages.base import Stage, StageRun

TRAINING = a_training("digits").nodes(2).with_source("code").packaged().obj()


class NextSpec(TrainingSpec):
    """A spec with a field that did not exist when the objects were made."""

    hibernate: bool = True
    budgets: dict[str, int] = Field(default_factory=lambda: {"infrastructure": 3})


class NextTraining(ModelTraining):
    """Its kind."""

    spec: NextSpec


def other_pod(own: StageRun) -> Obj:
    """A builder that builds something else."""
    return own.pod({"name": "trainer", "command": ["lamplighter-train-2"]})


def of_the_next_version(stage: Stage) -> Stage:
    """The stage, with a builder that builds something else and another port."""
    return replace(stage, pod=other_pod, service_port=stage.service_port and 29600)


@pytest.fixture
def next_version() -> Iterator[None]:
    """The operator as it may be in the next version."""
    changed = {"size": "50Gi"}
    output = TrainingSpec.model_fields["output"].annotation
    assert output is not None
    with (
        patch.object(plan, "ModelTraining", NextTraining),
        patch("lamplighter.training.freeze.TrainingSpec", NextSpec),
        patch.object(order, "STAGES", tuple(map(of_the_next_version, order.STAGES))),
        patch.object(train, "MASTER_PORT", 29600),
        patch.object(output.model_fields["size"], "default", changed["size"]),
    ):
        yield


def running() -> Scene:
    scene = Scene(TRAINING, a_config_map("code")).settle()
    return scene.having(*(a_pod(a_job(TRAINING).obj(), index).running() for index in (0, 1))).settle()


def packaging() -> Scene:
    return running().having(a_job(TRAINING).succeeded()).settle()


def finished() -> Scene:
    job = a_job(TRAINING, stage="package").succeeded()
    return packaging().having(job, a_pod(job.obj()).succeeded(sha256="a" * 64)).settle()


def restarted() -> Scene:
    """The second attempt runs."""
    scene = running().having(a_pod(a_job(TRAINING).obj()).disrupted("DeletionByPodGC")).settle()
    return scene.having(*(a_pod(a_job(TRAINING, attempt=2).obj(), index).running() for index in (0, 1))).settle()


def elastic() -> Scene:
    """Two of three pods of an elastic gang run."""
    training = a_training("digits").nodes(3).elastic(2, 4).obj()
    scene = Scene(training).settle()
    return scene.having(*(a_pod(a_job(training).obj(), index).running() for index in (0, 1))).settle()


def suspended() -> Scene:
    """The user holds the run."""
    return running().edit(suspend=True).settle()


SCENES = {made.__name__: made() for made in (running, packaging, finished, restarted, elastic, suspended)}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.usefixtures("next_version")
def test_over_running_objects_it_writes_nothing(scene: Scene) -> None:
    made = scene.plan()
    assert made.empty, made


@pytest.mark.usefixtures("next_version")
def test_the_fixture_is_another_version_indeed() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    (container,) = scene.child("Job", "digits-1-1")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["lamplighter-train-2"]


@pytest.mark.usefixtures("next_version")
def test_with_restart_it_restarts_nothing() -> None:
    scene = running().edit(onChange="Restart")
    made = scene.plan()
    assert not any(made.create)
    assert not made.patch
    assert not made.delete
    assert scene.settle().obj["status"]["run"]["number"] == 1
