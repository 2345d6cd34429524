"""A made-up traffic provider that has nothing in common with router pods: one route object for each deployment.

What the gateway does is read from an answer of its own, and it has no pods, no ConfigMap and no version in a label.
"""

from typing import TYPE_CHECKING

from tests.builders.objects import Obj
from tests.builders.routers import Carrier, ready_pods

from lamplighter.api.failures import Failure
from lamplighter.core.naming import child, child_labels
from lamplighter.core.objects import Ref, partial
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.traffic.provider import Changes, TrafficProvider
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Reading, Routers, compared, settled, unasked
from lamplighter.deployment.view import DeploymentView

if TYPE_CHECKING:
    from tests.builders.scene import Scene

REPORT = "GatewayReport"


class Gateway(TrafficProvider):
    """See :class:`TrafficProvider`."""

    router = "gateway"

    def questions(self, view: DeploymentView) -> list[Ref]:
        """The gateway."""
        return [] if settled(view.status) else [Ref(REPORT, view.snapshot.namespace, view.snapshot.name)]

    def written(self, snapshot: Snapshot) -> str | None:
        """The version in the route."""
        found = _route(snapshot)
        return str(found["spec"]["version"]) if found is not None else None

    def look(self, view: DeploymentView, split: Split) -> Routers:
        """What the gateway says."""
        said = view.snapshot.related.get((REPORT, view.snapshot.name))
        if settled(view.status):
            return unasked(view, split, 1, 1)
        readings = () if said is None else (Reading(said["version"], False, said["healthy"], said["active"]),)
        return compared(split, 1, readings, (), counted=1)

    def objects(self, view: DeploymentView, split: Split, routers: Routers) -> Changes:
        """The route."""
        del routers
        return self.configuration(view, split)

    def configuration(self, view: DeploymentView, split: Split) -> Changes:
        """The route."""
        spec = {
            "version": split.version,
            "weights": [[name, weight] for name, weight in split.traffic.weights],
            "preview": split.traffic.preview or "",
            "mirror": list(split.traffic.mirror or ()),
        }
        snapshot, found = view.snapshot, _route(view.snapshot)
        if found is None:
            labels = child_labels(snapshot.obj)
            return Changes(create=[child(snapshot.obj, "example.com/v1", "Route", snapshot.name, labels, spec=spec)])
        return Changes(patch=[] if found["spec"] == spec else [partial(found, spec=spec)])

    def endpoint(self, snapshot: Snapshot) -> str:
        """The gateway's own address."""
        return f"https://gateway.example.com/{snapshot.namespace}/{snapshot.name}"

    def in_charge(self, snapshot: Snapshot) -> bool:
        """True once there is a route."""
        return _route(snapshot) is not None

    def stale(self, view: DeploymentView, split: Split) -> list[Obj]:
        """Nothing: the route is all that there is."""
        del view, split
        return []

    def obstacle(self, view: DeploymentView) -> Failure | None:
        """Whoever runs the gateway sees to it."""
        del view

    def missing(self, view: DeploymentView) -> str:
        """It is always there."""
        del view
        return ""


GATEWAY = Gateway()


def gateway_follows(scene: "Scene", active: dict[str, int] | None = None) -> None:
    """The gateway has taken the newest route, and sees the pods that are ready."""
    name = scene.obj["metadata"]["name"]
    route = scene.children.get(("Route", name))
    if route is not None:
        report = {"version": route["spec"]["version"], "healthy": ready_pods(scene), "active": active or {}}
        scene.related[REPORT, name] = report


def gateway_stays(scene: "Scene", version: str) -> None:
    """The gateway stays at this version, and sees the pods that are ready."""
    report = {"version": version, "healthy": ready_pods(scene), "active": {}}
    scene.related[REPORT, scene.obj["metadata"]["name"]] = report


def version_of(scene: "Scene") -> str | None:
    """The version of the newest route."""
    route = scene.children.get(("Route", scene.obj["metadata"]["name"]))
    return route["spec"]["version"] if route is not None else None


def shares_of(scene: "Scene") -> dict[str, int]:
    """Percent of the requests by revision, as the route has it."""
    return dict(map(tuple, scene.child("Route", scene.obj["metadata"]["name"])["spec"]["weights"]))


GATEWAYS = Carrier(GATEWAY, gateway_follows, gateway_stays, shares_of, version_of)


def _route(snapshot: Snapshot) -> Obj | None:
    return snapshot.owned("Route", snapshot.name)
