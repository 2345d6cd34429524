"""Golden YAML: a reviewer sees the effect of a change as a diff of manifests.

``UPDATE_GOLDEN=1 make test-unit`` writes the files anew.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

MODELS: dict[str, Any] = {
    "ConfigMap": client.V1ConfigMap,
    "ControllerRevision": client.V1ControllerRevision,
    "Deployment": client.V1Deployment,
    "Event": client.EventsV1Event,
    "Job": client.V1Job,
    "NetworkPolicy": client.V1NetworkPolicy,
    "PersistentVolumeClaim": client.V1PersistentVolumeClaim,
    "PodDisruptionBudget": client.V1PodDisruptionBudget,
    "Service": client.V1Service,
}


def validate(obj: dict[str, Any]) -> None:
    """Hold an object against Kubernetes' own types: no unknown field, no wrong type."""
    MODELS[obj["kind"]].model_validate(obj, strict=True)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: a manifest is read without looking things up."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def check(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Compare objects with the file, and each of them with Kubernetes' types."""
    listed = list(objects)
    for obj in listed:
        validate(obj)
    check_text(path, listed)


def check_text(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Compare with the file what need not be an object of Kubernetes'."""
    text = yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"{path} is missing: UPDATE_GOLDEN=1 make test-unit writes it"
    assert text == path.read_text(), f"{path.name} changed: if that is wanted, UPDATE_GOLDEN=1 make test-unit"
