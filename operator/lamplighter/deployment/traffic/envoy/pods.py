"""The router pods of a deployment, and what each says that it does. Pure."""

from lamplighter.core import pods
from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving.health import lost
from lamplighter.deployment.traffic.envoy import router
from lamplighter.deployment.traffic.envoy.stats import reading
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Reading, Routers, compared, settled, unasked
from lamplighter.deployment.view import DeploymentView

STATUS = "RouterStatus"
"""The name under which a plan asks what a router pod says at ``/status``."""


def questions(view: DeploymentView) -> list[Ref]:
    """The router pods that have to be asked."""
    if settled(view.status):
        return []
    asked = [pod for pod in router.pods(view.snapshot) if _ready(pod) or _lingers(pod)]
    return [Ref(STATUS, view.snapshot.namespace, pod["metadata"]["name"]) for pod in asked]


def look(view: DeploymentView, split: Split) -> Routers:
    """Hold what the router pods said against the split."""
    found = router.pods(view.snapshot)
    ready = [pod for pod in found if _ready(pod)]
    if settled(view.status):
        return unasked(view, split, view.spec.router.replicas, len(ready))
    return compared(
        split,
        view.spec.router.replicas,
        readings=tuple(_said(view, pod) for pod in ready),
        leaving=tuple(_said(view, pod) for pod in found if _lingers(pod) and not lost(view, pod)),
        counted=_counted(view.snapshot),
    )


def _counted(snapshot: Snapshot) -> int:
    """How many ready router pods their Deployments count: the watch may not have brought us one of them yet."""
    return sum(int(one.get("status", {}).get("readyReplicas") or 0) for one in router.deployments(snapshot))


def _said(view: DeploymentView, pod: Obj) -> Reading:
    return reading(view.snapshot.related.get((STATUS, pod["metadata"]["name"]), {}))


def _ready(pod: Obj) -> bool:
    return pods.ready(pod) and not _stopping(pod)


def _stopping(pod: Obj) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _lingers(pod: Obj) -> bool:
    """True for a pod that gets no new connections, and runs: those that it has may last."""
    runs = any("running" in status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses") or ())
    return _stopping(pod) or (runs and not _ready(pod))
