"""What Kubernetes' Events tell of pods that went away while no operator lived: then no pod is left that tells. Pure.

Whoever takes a pod away for a reason of the cluster's says so in an Event, which stays for an hour. Only a drain does
not; but it closes the Node first, and the kubelet says where it stopped the pod's containers.
"""

from lamplighter.api.failures import Cause, Failure
from lamplighter.core.objects import Obj, Ref, condition, moment
from lamplighter.core.plan import POD_EVENTS
from lamplighter.training import diagnosis
from lamplighter.training.view import TrainingView

_TOLD = {
    "Preempted": ("Preempted", "made room for pods of higher priority"),  # kube-scheduler
    "TaintManagerEviction": ("Evicted", "does not tolerate a taint of its Node"),  # kube-controller-manager
    "ScaleDown": ("Evicted", "was evicted because its Node is removed"),  # cluster autoscaler
    "Evicted": ("Evicted", "was evicted"),  # Karpenter
}
_CANCELLED = "Cancelling"
"""How the taint manager begins its Event when it changes its mind."""
_STOPPED = "Killing"
_MARGIN = 60.0
"""Seconds by which the Events about the end of a pod may be older than it says, or newer than the end of its Job."""
_GRACE = 30.0


def wanted(view: TrainingView, job: Obj, its_pods: list[Obj]) -> list[Ref]:
    """What to read: nothing, unless the Job failed and no pod tells why."""
    if _failed(job) is None:
        return []
    found = diagnosis.first([evidence for pod in its_pods if (evidence := diagnosis.examine(view, pod))])
    if found is not None and not found.echo:
        return []
    return [Ref(POD_EVENTS, view.snapshot.namespace, job["metadata"]["name"])]


def testify(view: TrainingView, job: Obj) -> Failure | None:
    """Who took a pod of this Job away, as far as the Events tell."""
    failed, read = _failed(job), view.snapshot.related.get((POD_EVENTS, job["metadata"]["name"]))
    if failed is None or read is None:
        return None
    end = moment(failed["lastTransitionTime"]).timestamp()
    begin = end - float(view.spec.template.spec.get("terminationGracePeriodSeconds", _GRACE)) - _MARGIN
    events = sorted((event for event in read["items"] if begin <= _at(event) <= end + _MARGIN), key=_at)
    for event in events:
        told = _TOLD.get(event.get("reason") or "")
        note = event.get("note") or ""
        if told is not None and event.get("type") == "Normal" and not note.startswith(_CANCELLED):
            return _failure(event, told[0], f"{told[1]}. {note}")
        if event.get("action") == "Descheduled":
            return _failure(event, "Evicted", f"was evicted by the descheduler. {note}")
    for event in events:
        if event.get("reason") == _STOPPED and _host(event) in read["closedNodes"]:
            return _failure(event, "Evicted", "was evicted, as by a drain of its Node, which takes no new pods")
    return None


def _failed(job: Obj) -> Obj | None:
    return condition(job, "FailureTarget") or condition(job, "Failed")


def _at(event: Obj) -> float:
    """When it was said: seconds since the epoch; 0 when it does not tell."""
    told = event.get("eventTime") or event.get("deprecatedLastTimestamp") or event["metadata"].get("creationTimestamp")
    return moment(told).timestamp() if told else 0.0


def _host(event: Obj) -> str:
    """The Node of the kubelet that tells; empty when it is nobody's."""
    source = event.get("deprecatedSource") or {}
    return str(source.get("host") or (event.get("reportingInstance") if source.get("component") is None else "") or "")


def _failure(event: Obj, reason: str, what: str) -> Failure:
    pod = str(event["regarding"]["name"])
    return Failure(
        reason=reason,
        message=f"pod {pod} {what}".strip()[:4096],
        cause=Cause.PREEMPTED,
        pod=pod,
        node=_host(event) or None,
    )
