"""The router's objects, as YAML and held against Kubernetes' types, and the patches that change them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.builders import Scene, a_deployment
from tests.tools import ROOT
from tests.unit import golden

from lamplighter.api.router import Router
from lamplighter.core.naming import CONFIG, OPERATOR
from lamplighter.deployment.serving import workload
from lamplighter.deployment.serving.revision import object_name
from lamplighter.deployment.traffic.envoy import router
from lamplighter.deployment.traffic.envoy.config import files
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.types import Backend, Forwarding, Traffic, fingerprint

GOLDEN = Path(__file__).parents[2] / "golden"
SNAPSHOT = Scene(a_deployment()).snapshot
OLD, NEW = "834e492b", "0ddba11e"
TRAFFIC = Traffic((Backend(OLD, object_name("digits", OLD), 4),), ((OLD, 100),))
CANARY = Traffic(
    (Backend(OLD, object_name("digits", OLD), 4), Backend(NEW, object_name("digits", NEW), 1)),
    ((OLD, 90), (NEW, 10)),
    pins=(NEW,),
    mirror=(NEW, 5),
    preview=NEW,
)
FULL = Router.model_validate(
    {
        "image": "registry.example.com/router:1",
        "replicas": 5,
        "timeout": "2m",
        "accessLog": True,
        "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}},
        "template": {
            "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "kept"}},
            "spec": {
                "nodeSelector": {"edge": "true"},
                "containers": [{"name": "router", "env": [{"name": "LAMPLIGHTER_CONCURRENCY", "value": "4"}]}],
            },
        },
    }
)
DEFAULTS = Forwarding.from_spec(Router(), [60])


def split(forwarding: Forwarding) -> Split:
    """A split that is forwarded like this."""
    return Split(TRAFFIC, forwarding, "12345678")


@pytest.mark.parametrize(("name", "spec"), [("router", Router()), ("router-full", FULL)])
def test_what_is_created_is_as_reviewed(name: str, spec: Router) -> None:
    made = [
        router.deployment(SNAPSHOT, spec, split(Forwarding.from_spec(spec, [60])), "lamplighter/router:dev"),
        router.service(SNAPSHOT),
        router.preview_service(SNAPSHOT),
        workload.service(SNAPSHOT, OLD),
        router.disruption_budget(SNAPSHOT),
        router.network_policy(SNAPSHOT),
    ]
    golden.check(GOLDEN / f"{name}.yaml", made)


@pytest.mark.parametrize(("name", "traffic"), [("envoy", TRAFFIC), ("envoy-canary", CANARY)])
def test_what_the_routers_read_is_as_reviewed(name: str, traffic: Traffic) -> None:
    made = router.config_map(SNAPSHOT, Split(traffic, DEFAULTS, f"1-{fingerprint(traffic, DEFAULTS)}"))
    golden.validate(made)
    made["data"] = {file: json.loads(text) for file, text in made["data"].items()}  # to be read by people
    golden.check_text(GOLDEN / f"{name}.yaml", [made])


def test_a_config_map_says_which_version_it_holds() -> None:
    made = router.config_map(SNAPSHOT, Split(TRAFFIC, DEFAULTS, "1-a"))
    assert made["metadata"]["annotations"] == {CONFIG: "1-a"}
    assert made["data"] == files(TRAFFIC, DEFAULTS, "1-a")


def test_a_config_map_is_patched_to_hold_other_traffic() -> None:
    before = router.config_map(SNAPSHOT, Split(TRAFFIC, DEFAULTS, "1-a"))
    before["metadata"]["uid"] = "u"
    patch = router.configure(before, Split(CANARY, DEFAULTS, "2-b"))
    assert patch["data"] == files(CANARY, DEFAULTS, "2-b")
    assert patch["metadata"] == {
        "name": "digits-router",
        "namespace": "team",
        "uid": "u",
        "annotations": {CONFIG: "2-b"},
    }


def test_a_pod_is_kicked_by_an_annotation_alone() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team", "uid": "u"}, "spec": {}}
    assert router.kick(pod, "12345678") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "team", "uid": "u", "annotations": {CONFIG: "12345678"}},
    }


def test_traffic_is_not_in_the_deployment_so_that_no_router_restarts_for_a_weight() -> None:
    made = router.deployment(SNAPSHOT, Router(), split(DEFAULTS), "image")
    assert OLD not in json.dumps(made)


def test_no_label_of_the_user_takes_a_router_out_of_its_service() -> None:
    spec = Router.model_validate({"template": {"metadata": {"labels": {"lamplighter.dev/component": "x"}}}})
    pod = router.deployment(SNAPSHOT, spec, split(DEFAULTS), "image")["spec"]["template"]
    assert router.selector(SNAPSHOT).items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("timeout", [0.001, 1.5, 61, 86400])
def test_a_router_has_time_to_drain(timeout: float) -> None:
    made = router.deployment(SNAPSHOT, Router(), split(Forwarding(timeout=timeout)), "image")
    pod = made["spec"]["template"]["spec"]
    env = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
    delay, limit = float(env["LAMPLIGHTER_DRAIN_DELAY_S"]), float(env["LAMPLIGHTER_DRAIN_LIMIT_S"])
    assert limit >= timeout
    assert pod["terminationGracePeriodSeconds"] > delay + limit


def test_the_policy_is_for_models_and_lets_only_routers_in_and_the_operator_ask() -> None:
    spec = router.network_policy(SNAPSHOT)["spec"]
    guarded = spec["podSelector"]
    models, routers = workload.service(SNAPSHOT, OLD)["spec"]["selector"], router.selector(SNAPSHOT)
    assert guarded["matchLabels"].items() <= models.items()
    (wanted,) = guarded["matchExpressions"]
    assert wanted["key"] in models
    assert wanted["key"] not in routers
    closed, asked, opened = spec["ingress"]
    assert closed["from"] == [{"podSelector": {"matchLabels": routers}}]
    assert {entry["port"] for entry in closed["ports"]} == {8080, 7070, 8090}
    assert [entry["port"] for entry in asked["ports"]] == [8090]
    assert [entry["podSelector"]["matchLabels"] for entry in asked["from"]] == [OPERATOR]
    assert [entry["port"] for entry in opened["ports"]] == [8082]


def _bootstrap() -> Any:
    return yaml.safe_load((ROOT / "training_images" / "router" / "bootstrap.yaml").read_text())


def test_the_image_and_the_operator_agree_on_ports_and_folder() -> None:
    bootstrap = _bootstrap()
    for source in bootstrap["dynamic_resources"].values():
        where = source["path_config_source"]
        assert where["watched_directory"]["path"] == router.FOLDER
        assert Path(where["path"]).name in files(TRAFFIC, DEFAULTS, "1-a")
    (status,) = bootstrap["static_resources"]["listeners"]
    assert status["address"]["socket_address"]["port_value"] == router.STATUS_PORT
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
