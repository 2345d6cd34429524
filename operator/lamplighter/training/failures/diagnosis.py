"""Why an attempt fails: finds the cause in the states of its pods and their Nodes.

The first failure that is no echo counts: when one rank fails, the others lose their peer, and the Job controller
deletes them.
"""

from dataclasses import dataclass, replace

from lamplighter.api.failures import Cause, Failure
from lamplighter.core import nodes, pods
from lamplighter.core.objects import Obj, condition
from lamplighter.core.plan import Snapshot
from lamplighter.training.view import TrainingView

_CAUSES = {
    "OOMKilled": Cause.OUT_OF_MEMORY,
    "Hang": Cause.HANG,
    "GPUFailed": Cause.HARDWARE,
    "PeerLost": Cause.INFRASTRUCTURE,
    "Terminated": Cause.INFRASTRUCTURE,
    "MasterUnreachable": Cause.INFRASTRUCTURE,
    "StoreFailed": Cause.INFRASTRUCTURE,
    pods.UNSEEN: Cause.INFRASTRUCTURE,
    "UnexpectedAdmissionError": Cause.HARDWARE,
}
_DISRUPTIONS = {
    "PreemptionByScheduler": (Cause.PREEMPTED, "Preempted", "was preempted by pods of higher priority"),
    "EvictionByEvictionAPI": (Cause.PREEMPTED, "Evicted", "was evicted, for example by a drain of its Node"),
    "DeletionByTaintManager": (
        Cause.PREEMPTED,
        "Evicted",
        "was evicted because it does not tolerate a taint of its Node",
    ),
    "DeletionByPodGC": (Cause.INFRASTRUCTURE, "NodeLost", "was removed because its Node is gone"),
    "TerminationByKubelet": (Cause.INFRASTRUCTURE, "Evicted", "was terminated by the kubelet"),
}
_SHUTDOWN = frozenset({"Terminated", "NodeShutdown", "Shutdown"})
"""Reasons of a pod that its Node terminated while shutting down, as spot machines do."""
_OWN_USE = ("exceeds the total limit of containers", "exceeds the limit", "exceeded its local ephemeral storage limit")
"""How the kubelet says that the pod itself exceeded its disk limit."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A failure and its time ``at``. An ``echo`` is a consequence of another pod's failure."""

    failure: Failure
    at: str
    echo: bool = False


def first(found: list[Evidence]) -> Evidence | None:
    """The failure that caused the others."""
    return min(found, key=lambda evidence: (evidence.echo, evidence.at), default=None)


def examine(view: TrainingView, pod: Obj) -> Evidence | None:
    """What went wrong with a pod; None when it is waiting or running, or has succeeded."""
    if pod.get("status", {}).get("phase") == "Succeeded":
        return None
    return (
        _disrupted(view, pod)
        or _ended(pod)
        or _broken(pod)
        or _on_bad_node(view, pod)
        or _lost(view, pod)
        or _gone(pod)
    )


def unknown_nodes(view: TrainingView) -> list[str]:
    """Nodes that pods are bound to and that the watch does not know: they are gone, or new."""
    known, pods_alive = view.snapshot.nodes, (pod for pod in view.snapshot.all_owned("Pod") if not pods.over(pod))
    names = {_node(pod) for pod in pods_alive if _node(pod)}
    return [] if known is None else sorted(names - known.keys())


def with_nodes_that_were_read(snapshot: Snapshot) -> Snapshot:
    """The snapshot, with the Nodes that were read for it."""
    read = {name: obj for (kind, name), obj in snapshot.related.items() if kind == "Node"}
    return replace(snapshot, nodes={**snapshot.nodes, **read}) if read and snapshot.nodes is not None else snapshot


def node_doubt(view: TrainingView, pod: Obj) -> float | None:
    """Seconds until a Node that is not responding counts as lost; None when it responds or is already lost."""
    state = nodes.state(view.snapshot.nodes, pod)
    if state is None or pods.over(pod):
        return None
    left = view.options.node_grace - state.age(view.now)
    return max(left, 0.5) if left > 0 else None


def lost_for_good(view: TrainingView, pod: Obj) -> nodes.Silence | None:
    """The silence of a Node that is gone, or has not responded for the grace period: the pod will never end."""
    state = nodes.state(view.snapshot.nodes, pod)
    return state if state is not None and state.since and state.age(view.now) >= view.options.node_grace else None


def _disrupted(view: TrainingView, pod: Obj) -> Evidence | None:
    entry, status = condition(pod, "DisruptionTarget"), pod.get("status", {})
    reason, text = status.get("reason") or "", status.get("message") or ""
    if entry is None and reason not in ("Evicted", *_SHUTDOWN):
        return None
    word = (entry or {}).get("reason") or "TerminationByKubelet"
    cause, name, what = _DISRUPTIONS.get(word, (Cause.PREEMPTED, "Evicted", f"was disrupted ({word})"))
    if any(phrase in text for phrase in _OWN_USE):
        cause, name, what = Cause.USER_ERROR, "OutOfDisk", "used more disk than its limit: raise ephemeral-storage"
    elif reason in _SHUTDOWN:
        cause, name, what = Cause.PREEMPTED, "NodeShutdown", "was terminated because its Node is shutting down"
    elif word == "DeletionByTaintManager" and nodes.state(view.snapshot.nodes, pod) is not None:
        cause, name, what = Cause.INFRASTRUCTURE, "NodeLost", "was removed because its Node is not responding"
    detail = text or (entry or {}).get("message") or ""
    return Evidence(pods.blame(pod, name, f"pod {_name(pod)} {what}. {detail}".strip(), cause), _since(entry, pod))


def _ended(pod: Obj) -> Evidence | None:
    pod = pods.without_sidecars(pod)
    found = pods.failure(pod)
    if found is None:
        return None
    echo = pods.echoes(found)
    cause, reason = _CAUSES.get(found.reason), found.reason
    if cause is None and (found.exit_code in pods.KILLED or found.exit_code is None):
        cause, reason = Cause.INFRASTRUCTURE, "Killed" if found.exit_code in pods.KILLED else reason
    elif cause is None and pod["metadata"].get("deletionTimestamp") is not None:
        # Plain torchrun exits with an error when it is terminated.
        cause, echo = Cause.INFRASTRUCTURE, True
    unseen = found.reason == pods.UNSEEN
    if (echo or unseen) and pod["metadata"].get("deletionTimestamp") is not None:
        return None  # it ended because it was deleted
    update = {"cause": cause or Cause.USER_ERROR, "reason": reason}
    # It is unknown when it was gone; the others more likely failed because of it than before it.
    return Evidence(found.model_copy(update=update), "" if unseen else pods.ended_at(pod), echo)


def _broken(pod: Obj) -> Evidence | None:
    for container in pods.containers(pod):
        for resource in container.get("allocatedResourcesStatus") or ():
            for device in resource.get("resources") or ():
                if device.get("health") == "Unhealthy":
                    message = (
                        f"device {device.get('resourceID')} of {resource['name']} in pod {_name(pod)} is unhealthy; "
                        f"Node {_node(pod)} is avoided from now on and should be inspected"
                    )
                    return Evidence(pods.blame(pod, "GPUUnhealthy", message, Cause.HARDWARE), "")
    return None


def _on_bad_node(view: TrainingView, pod: Obj) -> Evidence | None:
    node = (view.snapshot.nodes or {}).get(_node(pod))
    if node is None or pods.over(pod):
        return None
    for kind in sorted(view.options.bad_node_conditions):
        if entry := condition(node, kind):
            message = (
                f"Node {_node(pod)} has the condition {kind}: {entry.get('message') or 'no details'}. "
                "It is avoided from now on and should be inspected"
            )
            return Evidence(
                pods.blame(pod, "NodeUnhealthy", message, Cause.HARDWARE), entry.get("lastTransitionTime") or ""
            )
    return None


def _lost(view: TrainingView, pod: Obj) -> Evidence | None:
    state = lost_for_good(view, pod)
    if state is None:
        return None
    message = f"pod {_name(pod)} is lost: Node {_node(pod)} {state.text}"
    return Evidence(pods.blame(pod, "NodeLost", message, Cause.INFRASTRUCTURE), state.since)


def _gone(pod: Obj) -> Evidence | None:
    deleted = pod["metadata"].get("deletionTimestamp")
    if deleted is None:
        return None
    message = (
        f"pod {_name(pod)} was deleted while the run needed it: by a user, or because another pod of its gang was gone"
    )
    return Evidence(pods.blame(pod, "PodDeleted", message, Cause.INFRASTRUCTURE), deleted, echo=True)


def _since(entry: Obj | None, pod: Obj) -> str:
    return (entry or {}).get("lastTransitionTime") or pods.ended_at(pod)


def _name(pod: Obj) -> str:
    return str(pod["metadata"]["name"])


def _node(pod: Obj) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
