"""Everything that is created for a training, as YAML and held against Kubernetes' types."""

from pathlib import Path

import pytest
from tests.builders import Scene, a_config_map, a_job, a_training
from tests.builders.objects import Obj
from tests.builders.trainings import Training
from tests.unit import golden

GOLDEN = Path(__file__).parent / "golden"
FULL = (
    a_training("digits")
    .with_source("code")
    .nodes(2)
    .packaged(modelFile="model.py", extraFiles=["labels.json"], example="example.json", version="2.0")
    .spec(
        args=["--name", "größer ☃", ""],
        env=[
            {"name": "SEED", "value": "7"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
        ],
        resources={"requests": {"cpu": "2"}, "limits": {"memory": "8Gi", "nvidia.com/gpu": 4}},
        output={"size": "20Gi", "storageClassName": "fast", "accessModes": ["ReadWriteMany"]},
        template={
            "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "kept"}},
            "spec": {
                "priorityClassName": "high",
                "nodeSelector": {"gpu": "h200"},
                "tolerations": [{"operator": "Exists"}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "datasets"}}],
                "containers": [
                    {"name": "trainer", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                    {"name": "sidecar", "image": "busybox"},
                ],
            },
        },
    )
)
PLACED = (
    a_training("digits")
    .nodes(2)
    .queued("team-gpus")
    .may_fail(hangTimeout="15m", startTimeout="90m")
    .spec(
        procsPerNode=8,
        priorityClassName="high",
        topology={"colocate": "topology.kubernetes.io/zone", "spread": "kubernetes.io/hostname"},
        gangScheduling={
            "schedulerName": "volcano",
            "labels": {"scheduling.x-k8s.io/pod-group": "{job}"},
            "annotations": {"scheduling.k8s.io/group-name": "{job}", "example.com/min-members": "{nodes}"},
        },
        rdma={"resourceName": "rdma/hca", "count": 4},
        resourceClaims=[
            {"name": "gpus", "resourceClaimTemplateName": "eight-gpus"},
            {"name": "fabric", "resourceClaimName": "shared-fabric"},
        ],
        checkpoint={"every": "90s", "keep": 5},
        progress={"fromOutput": True},
        activeDeadline="7d",
    )
)
ELASTIC = a_training("digits").nodes(3).elastic(2, 4)
SCRIPT_IN_THE_IMAGE = a_training("digits").spec(output={"claimName": "shared"})


def created(training: Training, *around: Obj) -> list[Obj]:
    """All that a run of a training creates, stage after stage."""
    scene = Scene(training, *around)
    objects = [obj for wave in scene.act().create for obj in wave]
    if scene.obj["spec"].get("package"):
        scene.having(a_job(scene.obj).succeeded())
        objects += [obj for wave in scene.act().create for obj in wave]
    return objects


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("smallest", a_training("digits")),
        ("claim-of-the-users", SCRIPT_IN_THE_IMAGE),
        ("suspended", a_training("digits").suspended()),
        ("full", FULL),
        ("placed", PLACED),
        ("elastic", ELASTIC),
    ],
)
def test_what_is_created_is_as_reviewed(name: str, training: Training) -> None:
    golden.check(GOLDEN / f"{name}.yaml", created(training, a_config_map("code", train_py="print('größer')")))


@pytest.mark.parametrize(
    ("requests", "limits", "processes"),
    [
        ({}, {}, "1"),
        ({}, {"nvidia.com/gpu": "8"}, "8"),
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "2"}, "2"),
        ({}, {"nvidia.com/mig-1g.10gb": "3"}, "3"),
        ({}, {"amd.com/gpu": "4", "cpu": "64"}, "4"),
        ({}, {"gpu.intel.com/i915": "2"}, "2"),
        ({"nvidia.com/gpu": "0"}, {}, "1"),
    ],
)
def test_there_is_a_process_per_gpu_unless_the_user_says_otherwise(requests: Obj, limits: Obj, processes: str) -> None:
    training = a_training("digits").spec(resources={"requests": requests, "limits": limits})
    assert environment(training)["PET_NPROC_PER_NODE"] == processes
    assert environment(training.spec(procsPerNode=5))["PET_NPROC_PER_NODE"] == "5"


def test_the_address_of_the_master_is_the_first_pod_of_this_attempt() -> None:
    assert environment(a_training("digits").nodes(3))["PET_MASTER_ADDR"] == "digits-1-1-0.digits-1-1.team.svc"


def environment(training: Training) -> dict[str, str]:
    """The plain variables of the first container of the train stage."""
    (job,) = [obj for obj in created(training) if obj["kind"] == "Job"]
    container = job["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
