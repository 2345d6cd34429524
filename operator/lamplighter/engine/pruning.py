"""What is kept of an object in memory: the fields that a plan may read, and no more."""

from lamplighter.core.objects import Obj

_META = ("name", "namespace", "uid", "resourceVersion", "generation", "labels", "annotations", "ownerReferences")
_META_OPTIONAL = ("creationTimestamp", "deletionTimestamp")
_SPEC = {
    "Job": ("suspend", "parallelism", "activeDeadlineSeconds", "backoffLimitPerIndex"),
    "Pod": ("nodeName",),
    "Service": ("selector",),
    "Deployment": ("replicas",),
    "PersistentVolumeClaim": (),
    "ConfigMap": (),
    "PodDisruptionBudget": (),
    "NetworkPolicy": (),
    "ControllerRevision": (),
}
_POD_STATUS = (
    "phase",
    "reason",
    "message",
    "conditions",
    "startTime",
    "podIP",
    "initContainerStatuses",
    "containerStatuses",
)
_NODE_META = ("name", "uid", "resourceVersion", "deletionTimestamp")
_NODE_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def prune(obj: Obj) -> Obj:
    """A copy with only what plans read; objects of the two kinds keep their whole spec and status."""
    kind = obj["kind"]
    meta = obj["metadata"]
    if kind == "Node":
        return _node(obj)
    kept: Obj = {
        "apiVersion": obj["apiVersion"],
        "kind": kind,
        "metadata": {field: meta[field] for field in (*_META, *_META_OPTIONAL) if field in meta},
    }
    if _LAST_APPLIED in kept["metadata"].get("annotations", ()):
        notes = dict(kept["metadata"]["annotations"])
        del notes[_LAST_APPLIED]
        kept["metadata"]["annotations"] = notes
    fields = _SPEC.get(kind)
    if fields is None:
        return kept | {field: obj[field] for field in ("spec", "status") if field in obj}
    if kind == "ControllerRevision":
        return kept | {"data": obj["data"], "revision": obj["revision"]}
    if fields:
        kept["spec"] = {field: obj["spec"][field] for field in fields if field in obj["spec"]}
    status = obj.get("status")
    if status:
        kept["status"] = {f: status[f] for f in _POD_STATUS if f in status} if kind == "Pod" else status
    return kept


def _node(obj: Obj) -> Obj:
    """A Node is large and mostly none of our business; its heartbeats are left out so that equal means unchanged."""
    conditions = obj.get("status", {}).get("conditions") or ()
    return {
        "apiVersion": obj["apiVersion"],
        "kind": "Node",
        "metadata": {field: obj["metadata"][field] for field in _NODE_META if field in obj["metadata"]},
        "spec": {f: obj["spec"][f] for f in ("unschedulable",) if f in obj.get("spec", {})},
        "status": {"conditions": [{f: entry[f] for f in _NODE_CONDITION if f in entry} for entry in conditions]},
    }
