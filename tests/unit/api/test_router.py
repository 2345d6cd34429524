"""What may be said about a router."""

import pytest
from pydantic import ValidationError

from lamplighter.api import crdgen
from lamplighter.api.router import Router


def test_a_router_that_nobody_describes_has_two_small_pods() -> None:
    spec = Router()
    assert spec.replicas == 2
    assert spec.resources.requests == {"cpu": "100m", "memory": "128Mi"}


@pytest.mark.parametrize(
    "written",
    [
        {"replicas": 0},
        {"replicas": 21},
        {"timeout": "soon"},
        {"maxRequests": 0},
        {"maxConnections": 100001},
        {"outlier": {"maxEjected": 101}},
        {"outlier": {"consecutiveFailures": 0}},
        {"image": "two words"},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Router.model_validate(written)


def test_every_field_has_a_structural_schema() -> None:
    schema = crdgen.structural(Router.model_json_schema())
    assert set(schema["properties"]) == {
        "image",
        "replicas",
        "timeout",
        "maxRequests",
        "maxConnections",
        "accessLog",
        "outlier",
        "resources",
        "template",
    }
    assert schema["properties"]["replicas"] == {
        "type": "integer",
        "default": 2,
        "description": "Router pods.",
        "maximum": 20,
        "minimum": 1,
    }
