"""How a revision is doing: ready pods, or what keeps them from being ready."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from lamplighter.api.failures import Failure
from lamplighter.core import pods
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, condition, controller_uid, labels, moment
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving import readiness
from lamplighter.deployment.serving.revision import object_name
from lamplighter.deployment.view import DeploymentView

_GRACE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class RevisionHealth:
    """Pods of a revision. ``complete``: as many as wanted are ready, and the controller knows the wanted number."""

    ready: int
    wanted: int
    complete: bool
    obstacle: Failure | None


def health(snapshot: Snapshot, revision: str, wanted: int) -> RevisionHealth:
    """Judge a revision, of which ``wanted`` pods should be ready, by its Deployment and its pods."""
    deployment = snapshot.owned("Deployment", object_name(snapshot.name, revision))
    if deployment is None:
        return RevisionHealth(0, wanted, False, None)
    ready = _ready(deployment)
    observed = deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    complete = observed and ready >= wanted
    return RevisionHealth(ready, wanted, complete, None if complete else _obstacle(snapshot, deployment, revision))


def asked_for(snapshot: Snapshot, revision: str) -> int:
    """How many pods of a revision its Deployment is to have."""
    deployment = snapshot.owned("Deployment", object_name(snapshot.name, revision))
    return int(deployment["spec"].get("replicas", 1)) if deployment else 0


def existing(snapshot: Snapshot, revision: str) -> int:
    """How many pods a revision has, ready or not."""
    deployment = snapshot.owned("Deployment", object_name(snapshot.name, revision))
    return int(deployment.get("status", {}).get("replicas", 0)) if deployment else 0


def in_the_way(view: DeploymentView, revision: str) -> list[str]:
    """The other revisions that still have pods, whether or not the status names them: there may be no room for more."""
    workloads = [one for one in view.snapshot.all_owned("Deployment") if one.get("status", {}).get("replicas")]
    found = [pod for pod in view.snapshot.all_owned("Pod") if controller_uid(pod)]
    there = [pod for pod in found if not (pods.over(pod) or lost(view, pod))]
    names = {labels(obj).get(REVISION, revision) for obj in (*workloads, *there)}  # routers belong to none
    return sorted(names - {revision})


def lost(view: DeploymentView, pod: Obj) -> bool:
    """True for a pod that had all the time it was given to stop, as on a Node that is lost."""
    end = pod["metadata"].get("deletionTimestamp")
    return end is not None and moment(end) + _GRACE < view.now


def _ready(deployment: Obj) -> int:
    return int(deployment.get("status", {}).get("readyReplicas", 0))


def _obstacle(snapshot: Snapshot, deployment: Obj, revision: str) -> Failure | None:
    """What keeps a pod of the revision from being ready, or why there is no pod."""
    found = complaint(snapshot.all_owned("Pod", **{REVISION: revision})) or readiness.complaint(snapshot, revision)
    if found is None and (refusal := condition(deployment, "ReplicaFailure")):
        text = f"Deployment {deployment['metadata']['name']} cannot make its pods: {refusal.get('message', '')}"
        return Failure(reason="PodsRefused", message=text[:4096])
    return found


def complaint(its_pods: Iterable[Obj]) -> Failure | None:
    """What keeps one of these pods from being ready; a pod that ended tells more than one that waits."""
    waiting = [pod for pod in its_pods if not pods.ready(pod) and "deletionTimestamp" not in pod["metadata"]]
    return pods.first_failure(waiting) or next((o for pod in waiting if (o := pods.obstacle(pod))), None)
