"""Router pods that follow their ConfigMap, as the kubelet and Envoy make them do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.builders.objects import Obj
from tests.builders.pods import a_pod

from lamplighter.deployment.traffic.envoy.provider import ENVOY
from lamplighter.deployment.traffic.provider import TrafficProvider

if TYPE_CHECKING:
    from tests.builders.scene import Scene

CONFIG = "lamplighter.dev/config"


class Follow(Protocol):
    """Has all routers of a scene do what they were told last."""

    def __call__(self, scene: "Scene", active: dict[str, int] | None = None) -> None:
        """``active``: requests in flight by revision."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A traffic provider as a test plays it.

    ``stuck`` leaves the routers at a version, ``shares`` and ``version`` are what they were told last.
    """

    provider: TrafficProvider
    follow: Follow
    stuck: Callable[["Scene", str], None]
    shares: Callable[["Scene"], dict[str, int]]
    version: Callable[["Scene"], str | None]


def routers_follow(scene: "Scene", active: dict[str, int] | None = None) -> None:
    """Each Deployment of routers has its pods, and each pod follows the newest configuration and sees ready pods."""
    for (kind, name), workload in list(scene.children.items()):
        if kind == "Deployment" and "-router-" in name:
            for index in range(workload["spec"]["replicas"]):
                router_pod(scene, workload, index, active)
            workload["status"] = {"readyReplicas": workload["spec"]["replicas"]}


def router_pod(scene: "Scene", workload: Obj, index: int, active: dict[str, int] | None) -> None:
    """A router pod is ready and says what it does."""
    pod = a_pod(workload, index).ready().obj()
    place = "Pod", pod["metadata"]["name"]
    known = scene.children.get(place)
    if known is None:
        scene.having(pod)
    scene.related["RouterStatus", place[1]] = router_says(version(scene), ready_pods(scene), active)


def router_says(version: str | None, healthy: dict[str, int], active: dict[str, int] | None = None) -> Obj:
    """What a router pod answers at /status, in the words of Envoy."""
    values: dict[str, Any] = {
        "cluster_manager.cds.version_text": version,
        "listener_manager.lds.version_text": version,
        "http.public.rds.public.version_text": version,
        "cluster_manager.warming_clusters": 0,
        "listener_manager.total_listeners_warming": 0,
    }
    for revision, count in healthy.items():
        values[f"cluster.rest-{revision}.membership_healthy"] = count
    for revision, count in (active or {}).items():
        values[f"cluster.rest-{revision}.upstream_rq_active"] = count
    return {"stats": [{"name": name, "value": value} for name, value in values.items()]}


def routers_stay(scene: "Scene", version: str) -> None:
    """The kubelets bring the router pods nothing: they stay at this version, and see which pods are ready."""
    pods = [place for place in scene.related if place[0] == "RouterStatus"]
    scene.related.update(dict.fromkeys(pods, router_says(version, ready_pods(scene))))


def version(scene: "Scene") -> str | None:
    """The version of the newest configuration."""
    found = scene.children.get(("ConfigMap", f"{scene.obj['metadata']['name']}-router"))
    return found["metadata"]["annotations"][CONFIG] if found else None


def split_of(scene: "Scene") -> dict[str, int]:
    """Percent of the requests by revision, as the newest configuration has it."""
    return split_in(scene.child("ConfigMap", "digits-router"))


def split_in(config_map: Obj) -> dict[str, int]:
    """Percent of the requests by revision in a configuration."""
    (public, *_) = json.loads(config_map["data"]["rds.json"])["resources"][0]["virtual_hosts"]
    last = public["routes"][-1]["route"]["weighted_clusters"]["clusters"]
    return {entry["name"].removeprefix("rest-"): entry["weight"] for entry in last}


def frame_in(config_map: Obj) -> list[Any]:
    """The clusters and listeners of a configuration, whatever their version."""
    return [json.loads(config_map["data"][file])["resources"] for file in ("cds.json", "lds.json")]


def ready_pods(scene: "Scene") -> dict[str, int]:
    """How many pods of each revision are ready."""
    return {
        workload["metadata"]["labels"]["lamplighter.dev/revision"]: workload.get("status", {}).get("readyReplicas", 0)
        for (kind, name), workload in scene.children.items()
        if kind == "Deployment" and "-router-" not in name
    }


ENVOYS = Carrier(ENVOY, routers_follow, routers_stay, split_of, version)
