"""The shared samples through schema and models. A real API server judges the rules (CEL): tests/integration/api."""

from typing import Any

import jsonschema
import pytest
from tests.samples import deployments, trainings
from tests.samples.objects import Invalid, Obj, Valid

from lamplighter.api import crdgen
from lamplighter.api.deployment import OWNED_SETTINGS
from lamplighter.api.kinds import KINDS
from lamplighter_runtime.serving.torchserve_config import OWNED

VALID = (*trainings.VALID, *deployments.VALID)
INVALID = (*trainings.INVALID, *deployments.INVALID)
KIND = {kind.name: kind for kind in KINDS}


def messages(node: Any) -> set[str]:
    """Every sentence of the rules in a schema."""
    if isinstance(node, list):
        return set().union(*map(messages, node))
    if not isinstance(node, dict):
        return set()
    own = {rule["message"] for rule in node.get("x-kubernetes-validations", [])}
    return own.union(*map(messages, node.values()))


RULES = set().union(*(messages(crdgen.root_schema(kind)) for kind in KINDS))


def without_null(node: Any) -> Any:
    """What the API server makes of null in a field that has a default or may be left out."""
    if isinstance(node, dict):
        return {key: without_null(value) for key, value in node.items() if value is not None}
    return [without_null(value) for value in node] if isinstance(node, list) else node


def accepted_by_schema(obj: Obj) -> bool:
    """Whether the schema alone, without rules, accepts the object."""
    schema = crdgen.root_schema(KIND[obj["kind"]])
    return jsonschema.Draft202012Validator(schema).is_valid(obj)


def name(sample: Valid | Invalid) -> str:
    return f"{sample.obj['kind']}: {sample.what}"


@pytest.mark.parametrize("sample", VALID, ids=name)
def test_what_is_valid_passes_the_schema_and_the_models(sample: Valid) -> None:
    stored = without_null(sample.obj)
    assert accepted_by_schema(stored)
    assert KIND[stored["kind"]].model.model_validate(stored)


@pytest.mark.parametrize("sample", VALID, ids=name)
def test_a_model_that_is_written_and_read_again_is_the_same(sample: Valid) -> None:
    model = KIND[sample.obj["kind"]].model
    parsed = model.model_validate(without_null(sample.obj))
    written = {**sample.obj, **parsed.model_dump(mode="json", exclude_none=True)}
    assert accepted_by_schema(written)
    assert model.model_validate(written) == parsed


@pytest.mark.parametrize("sample", INVALID, ids=name)
def test_what_is_invalid_is_refused_by_the_schema_or_has_a_rule(sample: Invalid) -> None:
    by_rule = any(sample.sentence in message for message in RULES)
    by_server = "Duplicate value" in sample.sentence
    assert accepted_by_schema(sample.obj) == (by_rule or by_server)


@pytest.mark.parametrize("message", sorted(RULES))
def test_every_rule_has_a_sample_that_breaks_it(message: str) -> None:
    assert any(sample.sentence in message for sample in INVALID)


@pytest.mark.parametrize("samples", [VALID, INVALID], ids=["valid", "invalid"])
def test_no_two_samples_have_one_name(samples: tuple[Valid | Invalid, ...]) -> None:
    assert len({name(sample) for sample in samples}) == len(samples)


def test_the_rule_for_settings_names_what_the_launcher_in_the_image_refuses() -> None:
    assert sorted(OWNED_SETTINGS) == sorted(OWNED)
