"""Traffic in Envoy's words: properties that hold for any traffic. Whether Envoy agrees is asked in tests/router."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.samples.traffic import all_forwarding, traffics

from lamplighter.api.router import Router
from lamplighter.deployment.traffic.envoy.config import files
from lamplighter.deployment.traffic.types import Backend, Forwarding, Traffic, fingerprint

A, B = Backend("aaaa1111", "digits-aaaa1111", 2), Backend("bbbb2222", "digits-bbbb2222", 2)
OPTIONS = Forwarding(timeout=61)


def _read(traffic: Traffic, chosen: Forwarding = OPTIONS) -> dict[str, Any]:
    return {name.removesuffix(".json"): json.loads(text) for name, text in files(traffic, chosen, "7-abc").items()}


def _clusters_of(value: Any) -> set[str]:
    """All clusters that something routes to."""
    text = json.dumps(value)
    return set(re.findall(r'"(?:cluster|name)": "((?:rest|grpc)-[^"]+)"', text))


@given(traffics(), all_forwarding())
def test_all_files_carry_the_version(traffic: Traffic, chosen: Forwarding) -> None:
    read = _read(traffic, chosen)
    assert set(read) == {"cds", "lds", "rds"}
    assert {content["version_info"] for content in read.values()} == {"7-abc"}


@given(traffics(), traffics())
def test_the_version_tells_contents_apart(one: Traffic, other: Traffic) -> None:
    def content(traffic: Traffic) -> Any:
        return {name: part["resources"] for name, part in _read(traffic).items()}

    if content(one) != content(other):
        assert fingerprint(one, OPTIONS) != fingerprint(other, OPTIONS)


@given(traffics(), st.randoms())
def test_the_order_in_which_revisions_are_told_changes_nothing(traffic: Traffic, random: Any) -> None:
    def shuffled(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(entries, len(entries)))

    other = replace(
        traffic,
        backends=shuffled(traffic.backends),
        weights=shuffled(traffic.weights),
        pins=shuffled(traffic.pins),
    )
    assert files(other, OPTIONS, "1-a") == files(traffic, OPTIONS, "1-a")


@given(traffics(), all_forwarding())
def test_requests_go_only_to_clusters_that_exist_and_to_revisions_that_are_routed(
    traffic: Traffic, chosen: Forwarding
) -> None:
    read = _read(traffic, chosen)
    existing = {cluster["name"] for cluster in read["cds"]["resources"]}
    used = _clusters_of([read["lds"], read["rds"]])
    assert used <= existing
    assert {name.partition("-")[2] for name in used} == traffic.routed


@given(traffics())
def test_the_clusters_do_not_depend_on_who_is_routed_to(traffic: Traffic) -> None:
    assert _read(traffic)["cds"]["resources"] == _read(Traffic(traffic.backends))["cds"]["resources"]


@given(traffics(), all_forwarding())
def test_the_weights_in_the_split_are_the_weights_that_were_asked_for(traffic: Traffic, chosen: Forwarding) -> None:
    assume(traffic.weights)
    (routes,) = _read(traffic, chosen)["rds"]["resources"]
    for route in routes["virtual_hosts"][0]["routes"][-2:]:
        listed = route["route"]["weighted_clusters"]["clusters"]
        shares = {entry["name"].partition("-")[2]: entry["weight"] for entry in listed}
        assert shares == {revision: weight for revision, weight in traffic.weights if weight}


def test_a_cookie_names_the_revision_in_full() -> None:
    (routes,) = _read(Traffic((A,), (("aaaa1111", 100),), pins=("aaaa1111",)))["rds"]["resources"]
    (pattern,) = {
        header["string_match"]["safe_regex"]["regex"]
        for route in routes["virtual_hosts"][0]["routes"]
        for header in route["match"].get("headers", ())
        if header["name"] == "cookie"
    }
    good = ["lamplighter-revision=aaaa1111", "a=1; lamplighter-revision=aaaa1111", "lamplighter-revision=aaaa1111; b=2"]
    bad = ["lamplighter-revision=aaaa11112", "xlamplighter-revision=aaaa1111", "lamplighter-revision=", ""]
    assert [cookie for cookie in good + bad if re.fullmatch(pattern, cookie)] == good


@pytest.mark.parametrize(
    ("traffic", "complaint"),
    [
        ({"weights": (("aaaa1111", 99),)}, "are not 100 in all"),
        ({"weights": (("aaaa1111", 50), ("bbbb2222", 50))}, "no backend for the revisions ['bbbb2222']"),
        ({"pins": ("bbbb2222",)}, "no backend"),
        ({"weights": (("aaaa1111", 100),), "mirror": ("bbbb2222", 1)}, "no backend"),
        ({"preview": "bbbb2222"}, "no backend"),
    ],
)
def test_traffic_that_would_lose_requests_cannot_be_made(traffic: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Traffic((A,), **traffic)


def test_a_revision_of_weight_zero_needs_no_backend() -> None:
    assert Traffic((A,), (("aaaa1111", 100), ("bbbb2222", 0))).routed == {"aaaa1111"}


@pytest.mark.parametrize(
    ("written", "slowest", "expected"),
    [(None, [60.0, 120.0], 121.0), (None, [], 61.0), ("5s", [60.0], 5.0), ("0s", [60.0], 0.001), ("9d", [60.0], 86400)],
)
def test_a_request_may_take_as_long_as(written: str | None, slowest: list[float], expected: float) -> None:
    assert Forwarding.from_spec(Router(timeout=written), slowest).timeout == expected
