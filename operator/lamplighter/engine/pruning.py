"""The part of an object that is kept in memory: the fields that a plan may read."""

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
_STATUS = {
    "Job": ("startTime", "active", "succeeded", "failed", "terminating", "conditions"),
    "Pod": (
        "phase",
        "reason",
        "message",
        "conditions",
        "startTime",
        "podIP",
        "initContainerStatuses",
        "containerStatuses",
    ),
    "Deployment": ("observedGeneration", "replicas", "readyReplicas"),
}
_REFUSED = "ReplicaFailure"
"""The only condition of a Deployment that is read; the others change constantly."""
_NODE_META = ("name", "uid", "resourceVersion", "deletionTimestamp")
_NODE_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def prune(obj: Obj) -> Obj:
    """A copy with only the fields that plans read; primary objects keep their whole spec and status."""
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
    status = obj.get("status") or {}
    if read := {field: status[field] for field in _STATUS.get(kind, ()) if field in status}:
        kept["status"] = read
    if kind == "Deployment" and (refused := [one for one in status.get("conditions") or () if one["type"] == _REFUSED]):
        kept.setdefault("status", {})["conditions"] = refused
    return kept


def same(one: Obj, other: Obj) -> bool:
    """True when two pruned objects differ only in their resource version."""
    if any(one.get(part) != other.get(part) for part in ("spec", "status", "data")):
        return False
    metas = ({**obj["metadata"], "resourceVersion": ""} for obj in (one, other))
    return next(metas) == next(metas)


def _node(obj: Obj) -> Obj:
    """A Node is large and mostly not read; heartbeats are left out, so that equal means unchanged."""
    conditions = obj.get("status", {}).get("conditions") or ()
    return {
        "apiVersion": obj["apiVersion"],
        "kind": "Node",
        "metadata": {field: obj["metadata"][field] for field in _NODE_META if field in obj["metadata"]},
        "spec": {f: obj["spec"][f] for f in ("unschedulable",) if f in obj.get("spec", {})},
        "status": {"conditions": [{f: entry[f] for f in _NODE_CONDITION if f in entry} for entry in conditions]},
    }
