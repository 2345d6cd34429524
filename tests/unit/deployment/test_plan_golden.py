"""Everything that is created for a deployment, as YAML and held against Kubernetes' types."""

from pathlib import Path

import pytest
from tests.builders import Scene, a_deployment, a_trained
from tests.builders.deployments import Deployment
from tests.unit import golden

from lamplighter.api.deployment import OWNED_SETTINGS

GOLDEN = Path(__file__).parent / "golden"
FULL = (
    a_deployment("digits")
    .serving("pvc://shared.models/letters/run-3/model.mar")
    .signed_by("release-keys", "models.pub")
    .replicas(3)
    .runtime(
        image="registry.example.com/torchserve:1",
        workers=4,
        batchSize=8,
        maxBatchDelay="1s250ms",
        jobQueueSize=50,
        responseTimeout="2m",
        warmup=5,
        config={"prefer_direct_buffer": "true", "decode_input_request": "größer"},
    )
    .spec(
        resources={"requests": {"cpu": "1"}, "limits": {"memory": "4Gi", "nvidia.com/gpu": 1}},
        template={
            "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "kept"}},
            "spec": {
                "nodeSelector": {"gpu": "h200"},
                "containers": [{"name": "torchserve", "env": [{"name": "OMP_NUM_THREADS", "value": "1"}]}],
            },
        },
    )
)


@pytest.mark.parametrize(("name", "deployment"), [("smallest", a_deployment()), ("full", FULL)])
def test_what_is_created_is_as_reviewed(name: str, deployment: Deployment) -> None:
    plan = Scene(deployment, a_trained().with_model(1)).plan()
    golden.check(GOLDEN / f"{name}.yaml", [obj for wave in plan.create for obj in wave])


@pytest.mark.parametrize("name", ["a", "a" * 40])
def test_names_are_valid_at_every_length(name: str) -> None:
    plan = Scene(a_deployment(name), a_trained().with_model(1)).plan()
    assert all(len(obj["metadata"]["name"]) <= 56 for wave in plan.create for obj in wave)


def test_the_lines_that_are_added_to_torchserves_settings_are_sorted() -> None:
    plan = Scene(a_deployment().runtime(config={"b": "2", "a": "1"}), a_trained().with_model(1)).plan()
    workload = next(obj for wave in plan.create for obj in wave if obj["kind"] == "Deployment")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables["LAMPLIGHTER_TORCHSERVE_CONFIG"] == "a=1\nb=2"
    assert "a" not in OWNED_SETTINGS
