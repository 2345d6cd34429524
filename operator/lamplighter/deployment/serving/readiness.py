"""What the model's pods that run and are not ready say at lamplighter-serve's /ready. Pure.

A pod that ends leaves the cause in its status. Until then only the pod itself knows that a worker died.
"""

from collections.abc import Iterator
from datetime import datetime

from lamplighter.api.failures import Failure
from lamplighter.core import pods
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, Ref, labels, moment
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving.contract import CONTAINERS

READINESS = "ModelReadiness"
"""The name under which a plan asks what a pod of a model says at ``/ready``."""
WORKER_DIED = "WorkerDied"
_MOST = 4
"""The most pods of a deployment that are asked at a time."""
_FRESH = 3.0
"""Seconds that a pod runs before it is asked."""
_SOON, _RARELY = 5.0, 30.0
"""Seconds between two questions: at first, and at most."""


def questions(snapshot: Snapshot, now: datetime) -> list[Ref]:
    """The pods that have to be asked; one that has just started has nothing to say yet."""
    found = [pod["metadata"]["name"] for pod, since in _unready(snapshot) if _age(since, now) >= _FRESH]
    return [Ref(READINESS, snapshot.namespace, name) for name in found[:_MOST]]


def complaint(snapshot: Snapshot, revision: str) -> Failure | None:
    """A worker of this revision that died, as its pod says. The pod restarts it, and reports how that ended."""
    for pod, _ in _unready(snapshot):
        said = snapshot.related.get((READINESS, pod["metadata"]["name"]), {})
        message = f"pod {pod['metadata']['name']}: {said.get('message')}"
        if labels(pod)[REVISION] == revision and said.get("reason") == "WorkerFailed":
            return pods.blame(pod, WORKER_DIED, message)
    return None


def wait(snapshot: Snapshot, now: datetime) -> float | None:
    """Seconds until the pods are to be asked again, the longer they take the later; None when all are ready."""
    ages = [_age(since, now) for _, since in _unready(snapshot)]
    return min(max(min(ages) / 4, _SOON), _RARELY) if ages else None


def _age(since: str, now: datetime) -> float:
    return (now - moment(since)).total_seconds()


def _unready(snapshot: Snapshot) -> Iterator[tuple[Obj, str]]:
    """Pods whose server runs and that are not ready, and since when it runs."""
    for pod in snapshot.all_owned("Pod"):
        if REVISION in labels(pod) and not pods.ready(pod) and "deletionTimestamp" not in pod["metadata"]:
            states = (one.get("state") or {} for one in pods.containers(pod) if one["name"] in CONTAINERS)
            if running := next((state["running"] for state in states if state.get("running")), None):
                yield pod, running.get("startedAt") or pod["metadata"]["creationTimestamp"]
