"""Whether the Node of a pod still responds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lamplighter.core.objects import Obj, moment


@dataclass(frozen=True, slots=True)
class Silence:
    """A Node that is not responding: since when (RFC 3339), and how to say so."""

    since: str
    text: str

    def age(self, now: datetime) -> float:
        """Seconds of silence; 0 when the clocks disagree."""
        return max((now - moment(self.since)).total_seconds(), 0.0) if self.since else 0.0


def state(nodes: Mapping[str, Obj] | None, pod: Obj) -> Silence | None:
    """The silence of the pod's Node; None when it responds, when the pod has none, or when Nodes are not watched."""
    name = (pod.get("spec") or {}).get("nodeName")
    if not name or nodes is None:
        return None
    node = nodes.get(name)
    if node is None:
        # A new Node and its first pods arrive on different watch streams; the pod's age tells it from a lost one.
        return Silence(pod.get("status", {}).get("startTime") or "", "is gone from the cluster")
    for entry in node.get("status", {}).get("conditions") or ():
        if entry["type"] == "Ready" and entry["status"] != "True":
            return Silence(
                entry.get("lastTransitionTime") or "", "is not ready: " + (entry.get("message") or "no reason given")
            )
    return None
