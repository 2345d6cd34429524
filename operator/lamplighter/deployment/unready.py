"""What the model's pods say while they run and are not ready, asked of lamplighter-serve's /ready. Pure.

A pod that gives up leaves its cause in its status. Until then only the pod itself knows of a worker that died.
"""

from collections.abc import Iterator
from datetime import datetime

from lamplighter.api.failures import Failure
from lamplighter.core import pods
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, Ref, labels, moment
from lamplighter.core.plan import READINESS, Snapshot
from lamplighter.deployment.torchserve import CONTAINER

WORKER_DIED = "WorkerDied"
_MOST = 4
"""So many pods of a deployment are asked at a time."""
_SOON, _RARELY = 5.0, 30.0
"""Seconds between two questions: at first, and at most."""


def questions(snapshot: Snapshot) -> list[Ref]:
    """The pods that have to be asked."""
    found = [pod["metadata"]["name"] for pod, _ in _unready(snapshot)]
    return [Ref(READINESS, snapshot.namespace, name) for name in found[:_MOST]]


def complaint(snapshot: Snapshot, revision: str) -> Failure | None:
    """What a pod of this revision says is wrong with it; that it loads the model, say, is not."""
    for pod, _ in _unready(snapshot):
        said = snapshot.related.get((READINESS, pod["metadata"]["name"]), {})
        message = f"pod {pod['metadata']['name']}: {said.get('message')}"
        if labels(pod)[REVISION] == revision and said.get("reason") == "WorkerFailed":
            return pods.blame(pod, WORKER_DIED, message)
        if labels(pod)[REVISION] == revision and said.get("reason") == "PredictionFailed":
            return pods.blame(pod, "PredictionFailed", message)
    return None


def wait(snapshot: Snapshot, now: datetime) -> float | None:
    """Seconds until the pods are to be asked again, the longer they take, the later; None when all are ready."""
    ages = [(now - moment(since)).total_seconds() for _, since in _unready(snapshot)]
    return min(max(min(ages) / 4, _SOON), _RARELY) if ages else None


def _unready(snapshot: Snapshot) -> Iterator[tuple[Obj, str]]:
    """Pods whose TorchServe runs and that are not ready, and since when it runs."""
    for pod in snapshot.all_owned("Pod"):
        if REVISION in labels(pod) and not pods.ready(pod) and "deletionTimestamp" not in pod["metadata"]:
            states = {one["name"]: one.get("state") or {} for one in pods.containers(pod)}
            if running := states.get(CONTAINER, {}).get("running"):
                yield pod, running.get("startedAt") or pod["metadata"]["creationTimestamp"]
