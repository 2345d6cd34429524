"""An operator of the next version, started over a serving deployment, changes no child."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from pydantic import Field
from tests.builders import Scene
from tests.unit.deployment.scenes import serving, with_candidate

from lamplighter.api.deployment import DeploymentSpec, ModelDeployment, Runtime
from lamplighter.core.objects import Obj
from lamplighter.deployment import plan
from lamplighter.deployment.serving import contract, revision, torchserve
from lamplighter.deployment.view import DeploymentOptions


class NextRuntime(Runtime):
    """A runtime with a field that did not exist when the objects were made."""

    warm_up: int = Field(default=10)


class NextSpec(DeploymentSpec):
    """Its spec."""

    runtime: NextRuntime = Field(default_factory=NextRuntime)
    shadow: str = "none"


class NextDeployment(ModelDeployment):
    """Its kind."""

    spec: NextSpec


def other_pod(name: str, *_: object) -> Obj:
    """A builder that builds something else."""
    return {"metadata": {}, "spec": {"containers": [{"name": name}]}}


@pytest.fixture
def next_version() -> Iterator[None]:
    """The operator as it may be in the next version."""
    with (
        patch.object(plan, "ModelDeployment", NextDeployment),
        patch.object(revision, "Runtime", NextRuntime),
        patch.object(torchserve, "pod", other_pod),
        patch.object(contract, "INFERENCE", 9090),
    ):
        yield


def written(scene: Scene) -> list[object]:
    """What the next version would do to children."""
    scene.deployment_options = DeploymentOptions("lamplighter/torchserve:next", "lamplighter/router:next")
    made = scene.plan()
    return [*(obj for wave in made.create for obj in wave), *made.patch, *made.delete]


@pytest.mark.usefixtures("next_version")
def test_over_a_serving_deployment_it_changes_no_child() -> None:
    assert written(serving()) == []


@pytest.mark.usefixtures("next_version")
def test_during_a_rollout_it_changes_no_child() -> None:
    assert written(with_candidate()[0]) == []


@pytest.mark.usefixtures("next_version")
def test_a_new_default_that_the_api_server_fills_in_is_no_new_revision() -> None:
    scene = serving()
    scene.obj["spec"]["runtime"] = {"workers": 1, "batchSize": 1, "warmUp": 10}
    assert written(scene) == []
