"""Why pods went away while no operator was running, as Kubernetes' Events say: the pods themselves are gone. Pure.

A component that removes a pod on behalf of the cluster says so in an Event, which stays for an hour. Only a drain does
not, but it cordons the Node first, and the kubelet's Events say on which Node it stopped the pod's containers.
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
    "ScaleDown": ("Evicted", "was evicted because its Node is being removed"),  # cluster autoscaler
    "Evicted": ("Evicted", "was evicted"),  # Karpenter
    "Disrupted": ("Evicted", "was deleted because its Node is being removed"),  # Karpenter
}
_DESCHEDULED = ("Evicted", "was evicted by the descheduler")
"""For the action Descheduled; the reason of such an Event is the name of a strategy."""
_NOTHING_DONE = ("Cancelling", "(in kube-scheduler memory)")
"""Words in Events about evictions that did not happen: by the taint manager that cancels one, by the scheduler."""
_STOPPED = "Killing"
_MARGIN = 60.0
"""Seconds by which Events about the end of a pod may be older than its grace period allows, or newer than its Job's."""
_GRACE = 30


def explain(view: TrainingView, spec: TrainingSpec, job: Obj, failed: Obj, echo: Evidence | None) -> Failure | None:
    """Why a pod of a failed Job was removed, if the Events say so.

    ``failed``: the Job's condition. ``echo``: the first failure among the remaining pods, a consequence of the removal.
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
    # Pods that are stopped after the first one ended are stopped because of that.
    if echo is not None and echo.at not in ("", pods.NEVER):
        end = moment(echo.at).timestamp() - 1
    for event in events:
        if event.get("reason") == _STOPPED and _node(event) in read["closedNodes"] and _at(event) <= end:
            return _failure(event, "Evicted", "was evicted, probably by a drain of its Node, which is cordoned")
    return None


def _at(event: Obj) -> float:
    """The time of an Event in seconds since the epoch; 0 when it has none."""
    told = event.get("eventTime") or event.get("deprecatedLastTimestamp") or event["metadata"].get("creationTimestamp")
    return moment(told).timestamp() if told else 0.0


def _node(event: Obj) -> str | None:
    """The Node whose kubelet sent the Event; None when another component did."""
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
