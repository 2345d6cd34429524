"""A real API server takes everything that we create, every field of it: what the golden files show."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, dynamic
from tests import tools

GOLDEN = sorted((tools.ROOT / "tests" / "unit").glob("*/golden/*.yaml"))


def objects(path: Path) -> list[dict[str, Any]]:
    """The objects in a file. What a ConfigMap holds is shown parsed there."""
    found = [obj for obj in yaml.safe_load_all(path.read_text(encoding="utf-8")) if obj]
    for obj in found:
        if obj["kind"] == "ConfigMap":
            texts = {name: json.dumps(value) for name, value in obj["data"].items() if not isinstance(value, str)}
            obj["data"] |= texts
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_what_we_create_is_taken(api: client.ApiClient, namespace: str, path: Path) -> None:
    known = dynamic.DynamicClient(api).resources
    for obj in objects(path):
        obj["metadata"]["namespace"] = namespace
        resource = known.get(api_version=obj["apiVersion"], kind=obj["kind"])
        created = resource.create(body=obj, namespace=namespace, dry_run="All", field_validation="Strict")
        assert created.metadata.name == obj["metadata"]["name"]
