"""crds/ is what the models say, and every part of it is bounded and typed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lamplighter.api import crdgen
from lamplighter.api.kinds import KINDS, Kind

CRDS = Path(__file__).parents[3] / "crds"
Node = tuple[str, dict[str, Any]]
KEYWORDS = {
    "additionalProperties", "anyOf", "default", "description", "enum", "format", "items", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "pattern", "properties",
    "required", "type", "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
}  # fmt: skip
BOUNDS = {"string": {"maxLength", "enum"}, "array": {"maxItems"}, None: {"maxLength"}}


def nodes(kind: Kind) -> Iterator[Node]:
    """Every schema of a kind with its path."""
    return inside(crdgen.root_schema(kind), kind.short_name)


def inside(schema: dict[str, Any], path: str) -> Iterator[Node]:
    """A schema and every one in it."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from inside(field, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from inside(schema[key], path + mark)


def bounded(schema: dict[str, Any]) -> bool:
    """Whether what this schema describes has a largest size; a free-form part is bounded by the request's size."""
    if "additionalProperties" in schema:
        return "maxProperties" in schema
    bounds = BOUNDS.get(schema.get("type"))
    return not bounds or bool(bounds & schema.keys())


EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short_name)


def test_the_committed_files_are_what_the_models_say() -> None:
    assert crdgen.outdated(CRDS) == [], "run `make crds` and commit the result"


def test_check_fails_on_a_changed_file_and_passes_on_a_written_one(tmp_path: Path) -> None:
    assert crdgen.main([str(tmp_path), "--check"]) == 1
    assert crdgen.main([str(tmp_path)]) == 0
    assert crdgen.main([str(tmp_path), "--check"]) == 0
    next(tmp_path.iterdir()).write_text("kind: Changed\n")
    assert crdgen.main([str(tmp_path), "--check"]) == 1


def test_the_kustomization_names_every_generated_file() -> None:
    assert sorted(yaml.safe_load((CRDS / "kustomization.yaml").read_text())["resources"]) == sorted(
        name for name, _ in crdgen.files()
    )


@EACH_KIND
def test_a_schema_has_only_keywords_that_structural_schemas_know(kind: Kind) -> None:
    assert {path: node.keys() - KEYWORDS for path, node in nodes(kind) if node.keys() - KEYWORDS} == {}


@EACH_KIND
def test_everything_has_one_type(kind: Kind) -> None:
    assert [p for p, node in nodes(kind) if ("type" in node) == node.get("x-kubernetes-int-or-string", False)] == []


@EACH_KIND
def test_every_list_map_and_string_is_bounded(kind: Kind) -> None:
    assert [path for path, node in nodes(kind) if not bounded(node)] == []


@EACH_KIND
def test_every_list_says_how_it_is_merged_or_holds_plain_values(kind: Kind) -> None:
    lists = [(path, node) for path, node in nodes(kind) if node.get("type") == "array"]
    assert [p for p, node in lists if "properties" in node["items"] and "x-kubernetes-list-type" not in node] == []


@EACH_KIND
def test_no_pattern_uses_a_class_that_go_and_pydantic_read_differently(kind: Kind) -> None:
    assert [path for path, node in nodes(kind) if re.search(r"\\[sSdDwWb]", node.get("pattern", ""))] == []


@EACH_KIND
def test_the_status_has_no_defaults(kind: Kind) -> None:
    status = inside(crdgen.root_schema(kind)["properties"]["status"], "status")
    assert [path for path, node in status if "default" in node] == []


@EACH_KIND
def test_no_default_is_null(kind: Kind) -> None:
    assert [path for path, node in nodes(kind) if node.get("default", "") is None] == []


def test_replicas_has_no_default_because_an_autoscaler_may_own_it() -> None:
    spec = crdgen.root_schema(KINDS[1])["properties"]["spec"]
    assert "default" not in spec["properties"]["replicas"]


def test_two_types_for_one_field_are_a_mistake_in_the_model() -> None:
    with pytest.raises(ValueError, match="one type for each field"):
        crdgen.structural({"anyOf": [{"type": "string"}, {"type": "integer"}]})


def test_a_pattern_for_keys_is_a_mistake_in_the_model() -> None:
    with pytest.raises(ValueError, match="in a rule with a sentence"):
        crdgen.structural({"type": "object", "propertyNames": {"pattern": "a"}, "additionalProperties": {}})
