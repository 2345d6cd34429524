"""What a router says of itself, understood. What it really says is asked in tests/router."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter.deployment.traffic.envoy.stats import reading
from lamplighter.deployment.traffic.verification import Reading

SAID: dict[str, Any] = {
    "cluster_manager.cds.version_text": "12345678",
    "listener_manager.lds.version_text": "12345678",
    "http.public.rds.public.version_text": "12345678",
    "cluster_manager.warming_clusters": 0,
    "listener_manager.total_listeners_warming": 0,
    "cluster_manager.cds.update_rejected": 0,
    "cluster.rest-aaaa1111.membership_healthy": 3,
    "cluster.grpc-aaaa1111.membership_healthy": 2,
    "cluster.rest-aaaa1111.membership_total": 3,
    "cluster.rest-aaaa1111.upstream_rq_active": 4,
    "cluster.grpc-aaaa1111.upstream_rq_active": 5,
    "cluster.self.membership_healthy": 1,
}


def _body(**changed: Any) -> Any:
    said = SAID | {name.replace("__", "."): value for name, value in changed.items()}
    return {"stats": [{"name": name, "value": value} for name, value in said.items() if value is not None]}


def test_a_router_tells_its_version_its_pods_and_its_requests() -> None:
    assert reading(_body()) == Reading("12345678", False, {"aaaa1111": 2}, {"aaaa1111": 9})


@pytest.mark.parametrize(
    "changed",
    [
        {"cluster_manager__cds__version_text": "87654321"},
        {"listener_manager__lds__version_text": None},
        {"http__public__rds__public__version_text": ""},
        {"cluster_manager__warming_clusters": 1},
        {"listener_manager__total_listeners_warming": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_configuration_that_is_not_in_force_as_a_whole_has_no_version(changed: dict[str, Any]) -> None:
    assert reading(_body(**changed)).version is None


@pytest.mark.parametrize(
    "what", ["cluster_manager.cds", "listener_manager.lds", "http.public.rds.public"], ids=lambda what: what[-6:]
)
def test_any_refused_file_counts(what: str) -> None:
    assert reading(_body(**{f"{what}.update_rejected": 1})).rejected


def test_nothing_is_known_of_a_router_before_it_has_read_anything() -> None:
    versions = {name.replace(".", "__"): "" for name in SAID if name.endswith("version_text")}
    assert reading(_body(**versions)).version is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(SAID)),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.sampled_from(["stats", "name", "value"]), inner)
        | st.fixed_dictionaries({"stats": st.lists(st.fixed_dictionaries({"name": inner, "value": inner}))})
    ),
)


@given(JSON | JSON.map(lambda value: {"stats": [{"name": name, "value": value} for name in SAID]}))
def test_nothing_that_json_can_hold_is_too_strange(body: Any) -> None:
    seen = reading(json.loads(json.dumps(body)))
    assert all(count >= 0 for count in [*seen.healthy.values(), *seen.active.values()])
    assert seen.version is None or seen.version
