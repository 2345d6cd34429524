"""How the router pods of a deployment are doing. Pure."""

from lamplighter.api.failures import Failure
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving.health import complaint
from lamplighter.deployment.traffic.envoy import router
from lamplighter.deployment.view import DeploymentView


def obstacle(snapshot: Snapshot) -> Failure | None:
    """What keeps a router pod from being ready."""
    return complaint(router.pods(snapshot))


def missing(view: DeploymentView) -> str:
    """How many of the router pods that the spec asks for are ready; empty when all are."""
    wanted, ready = view.spec.router.replicas, ready_replicas(view.snapshot.owned("Deployment", _name(view)))
    return f"{ready} of {wanted} router pods are ready" if ready < wanted else ""


def relieved(view: DeploymentView) -> list[Obj]:
    """Deployments of router pods for which others have taken over."""
    found = view.snapshot.owned("Deployment", _name(view))
    if found is None or ready_replicas(found) < view.spec.router.replicas:
        return []
    return [one for one in router.deployments(view.snapshot) if one["metadata"]["name"] != found["metadata"]["name"]]


def ready_replicas(deployment: Obj | None) -> int:
    """How many ready pods a Deployment counts."""
    return int(deployment.get("status", {}).get("readyReplicas") or 0) if deployment is not None else 0


def _name(view: DeploymentView) -> str:
    return router.deployment_name(view.snapshot, view.spec.router)
