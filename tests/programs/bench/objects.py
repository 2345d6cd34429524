"""What the benchmark creates. The bare Job never changes: figures relative to it stay comparable over the years."""

from typing import Any

import orjson
from tests.programs.bench.server import Obj
from tests.samples.objects import training as sample

IMAGE = "lamplighter.invalid/never-pulled:1"
CLAIM = "models"


def training(name: str, *, suspend: bool, claim: str | None = CLAIM, hold: bool = False, **more: Any) -> bytes:
    """A ModelTraining of one pod. ``hold`` keeps the pod running; without ``claim`` the operator makes a claim.

    ``more``: further fields of the spec.
    """
    spec: Obj = {"image": IMAGE, "suspend": suspend, **more}
    if claim:
        spec["output"] = {"claimName": claim}
    if hold:
        spec["template"] = {"metadata": {"annotations": {"lamplighter.dev/kwok": "hold"}}}
    return orjson.dumps(sample(name, **spec))


def bare_job(name: str, *, suspend: bool) -> bytes:
    """A Job about as heavy as the operator's: what the API server is able to do without us."""
    labels = {f"example.com/label-{number}": "value" for number in range(6)}
    container = {
        "name": "trainer",
        "image": IMAGE,
        "command": ["/bin/sh", "-c", "exec python -m torch.distributed.run train.py"],
        "env": [{"name": f"VARIABLE_{number}", "value": "value"} for number in range(12)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "output", "mountPath": "/output"}],
    }
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "output", "persistentVolumeClaim": {"claimName": CLAIM}}]
    pod = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    spec = {
        "completionMode": "Indexed",
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 0,
        "suspend": suspend,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    meta = {"name": name, "labels": labels}
    return orjson.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})


def claim() -> Obj:
    """The claim that all trainings share; fake volumes bind it."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}
