"""What Kubernetes' Events tell of pods that went away while no operator lived: then no pod is left that tells. Pure.

Whoever takes a pod away for a reason of the cluster's says so in an Event, which stays for an hour. Only a drain does
not; but it closes the Node first, and the kubelet says where it stopped the pod's containers.
"""

from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import TrainingSpec
from lamplighter.core import pods
from lamplighter.core.objects import Obj, moment
from lamplighter.training.failures.diagnosis import Evidence
from lamplighter.training.view import TrainingView

POD_EVENTS = "PodEvents"
"""The name under which a plan asks what Events say about the pods of a Job: see questions/pod_events.py."""
_TOLD = {
    "Preempted": ("Preempted", "was preempted by pods of higher priority"),  # kube-scheduler
    "TaintManagerEviction": (
        "Evicted",
        "was evicted because it does not tolerate a taint of its Node",
    ),  # kube-controller-manager
    "ScaleDown": ("Evicted", "was evicted because its Node is removed"),  # cluster autoscaler
    "Evicted": ("Evicted", "was evicted"),  # Karpenter
    "Disrupted": ("Evicted", "was deleted because its Node is removed"),  # Karpenter
}
_DESCHEDULED = ("Evicted", "was evicted by the descheduler")
"""For an action of that name; the reason is its strategy's."""
_NOTHING_DONE = ("Cancelling", "(in kube-scheduler memory)")
"""Words of Events that tell of what did not happen: the taint manager's when it changes its mind, the scheduler's."""
_STOPPED = "Killing"
_MARGIN = 60.0
"""Seconds by which Events about the end of a pod may be older than its grace period allows, or newer than its Job's."""
_GRACE = 30


def testify(view: TrainingView, spec: TrainingSpec, job: Obj, failed: Obj, echo: Evidence | None) -> Failure | None:
    """Who took a pod of a failed Job away, as far as the Events tell.

    ``failed``: the Job's condition. ``echo``: the pod that ended first of those that are left, because another one did.
    """
    read = view.snapshot.related.get((POD_EVENTS, job["metadata"]["name"]))
    if read is None:
        return None
    end = moment(failed["lastTransitionTime"]).timestamp()
    grace = spec.template.spec.get("terminationGracePeriodSeconds")
    begin = end - (grace if isinstance(grace, int) else _GRACE) - _MARGIN
    events = [
        event for event in read["items"] if event.get("type") == "Normal" and begin <= _at(event) <= end + _MARGIN
    ]
    events.sort(key=_at)
    for event in events:
        note = event.get("note") or ""
        told = _DESCHEDULED if event.get("action") == "Descheduled" else _TOLD.get(event.get("reason") or "")
        if told is not None and not any(words in note for words in _NOTHING_DONE):
            return _failure(event, told[0], f"{told[1]}. {note}")
    # What is stopped after the first pod ended is stopped because of that.
    if echo is not None and echo.at not in ("", pods.NEVER):
        end = moment(echo.at).timestamp() - 1
    for event in events:
        if event.get("reason") == _STOPPED and _node(event) in read["closedNodes"] and _at(event) <= end:
            return _failure(event, "Evicted", "was evicted, probably by a drain of its Node, which is cordoned")
    return None


def _at(event: Obj) -> float:
    """When it was said: seconds since the epoch; 0 when it does not tell."""
    told = event.get("eventTime") or event.get("deprecatedLastTimestamp") or event["metadata"].get("creationTimestamp")
    return moment(told).timestamp() if told else 0.0


def _node(event: Obj) -> str | None:
    """The Node of the kubelet that tells; None when somebody else does."""
    source = event.get("deprecatedSource") or {}
    return source.get("host") if source.get("component") == "kubelet" else None


def _failure(event: Obj, reason: str, what: str) -> Failure:
    pod = str(event["regarding"]["name"])
    return Failure(
        reason=reason,
        message=f"pod {pod} {what}".strip()[:4096],
        cause=Cause.PREEMPTED,
        pod=pod,
        node=_node(event),
    )
