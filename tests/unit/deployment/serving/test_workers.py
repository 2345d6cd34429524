"""How many workers a pod has, and what a change of their number means."""

from typing import Any

import pytest
from tests.builders import Scene, a_deployment, a_trained
from tests.unit.deployment.scenes import only, serving

from lamplighter.api.common import Resources
from lamplighter.api.deployment import Runtime
from lamplighter.core.objects import Obj
from lamplighter.deployment.serving.workers import gpus, processors, workers


@pytest.mark.parametrize(
    ("resources", "count"),
    [
        ({}, 1),
        ({"requests": {"cpu": "500m"}}, 1),
        ({"requests": {"cpu": "3500m"}}, 3),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}, 4),
        ({"limits": {"cpu": "16", "nvidia.com/gpu": "2"}}, 2),
        ({"limits": {"cpu": "16", "amd.com/gpu": "1"}}, 1),
        ({"limits": {"nvidia.com/mig-1g.10gb": "3"}}, 3),
        ({"limits": {"cpu": "16", "nvidia.com/gpu": "0"}}, 16),
        ({"limits": {"cpu": "128"}}, 64),
    ],
)
def test_the_default_is_one_for_each_gpu_or_else_for_each_whole_processor(resources: Obj, count: int) -> None:
    assert workers(Runtime(), Resources.model_validate(resources)) == count


def test_what_the_user_says_counts() -> None:
    assert workers(Runtime(workers=3), Resources(limits={"nvidia.com/gpu": "1", "cpu": "8"})) == 3


@pytest.mark.parametrize(
    ("resources", "count"),
    [({}, None), ({"limits": {"cpu": "1500m"}}, 2), ({"requests": {"cpu": "100m"}}, 1), ({"limits": {"cpu": "4"}}, 4)],
)
def test_a_part_of_a_processor_is_a_thread(resources: Obj, count: int | None) -> None:
    assert processors(Resources.model_validate(resources)) == count


def test_slices_of_a_gpu_count_as_gpus() -> None:
    assert gpus(Resources(limits={"nvidia.com/mig-3g.40gb": "1", "nvidia.com/mig-1g.10gb": "2"})) == 3


def variables(scene: Scene) -> dict[str, Any]:
    (container,) = scene.child("Deployment", only(scene))["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def test_the_pod_is_told_what_it_has_to_compute_with() -> None:
    deployment = a_deployment().resources(**{"cpu": "6", "nvidia.com/gpu": 2})
    told = variables(Scene(deployment, a_trained().with_model(1)).settle())
    wanted = {"LAMPLIGHTER_WORKERS": "2", "LAMPLIGHTER_GPUS": "2", "LAMPLIGHTER_PROCESSORS": "6"}
    assert told.items() >= wanted.items()


def revisions(scene: Scene) -> list[str]:
    return scene.names("ControllerRevision")


@pytest.mark.parametrize("written", [1, 4])
def test_a_number_that_is_what_the_resources_give_anyway_is_no_new_revision(written: int) -> None:
    scene = serving(a_deployment().resources(cpu=str(written)).runtime(workers=written))
    del scene.obj["spec"]["runtime"]["workers"]
    assert len(revisions(scene.settle())) == 1


def test_the_one_worker_that_an_older_schema_filled_in_stays() -> None:
    scene = serving(a_deployment().resources(cpu="4").runtime(workers=1, batchSize=1))
    scene.obj["spec"]["runtime"]["warmup"] = 1
    assert len(revisions(scene.settle())) == 1
    assert variables(scene)["LAMPLIGHTER_WORKERS"] == "1"


def test_another_number_is_a_new_revision() -> None:
    scene = serving(a_deployment().resources(cpu="4").runtime(workers=1))
    del scene.obj["spec"]["runtime"]["workers"]
    assert len(revisions(scene.settle())) == 2
