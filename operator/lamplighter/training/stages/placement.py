"""Where the pods of a gang are placed, and with what: avoided Nodes, topology, scheduler, devices, RDMA."""

from lamplighter.api.placement import Strictness
from lamplighter.core.objects import Obj
from lamplighter.training.stages.base import StageRun

JOB_NAME = "batch.kubernetes.io/job-name"
_WEIGHT = 100
_FROM_NODE_NAME = "metadata.name"


def placed(own: StageRun, pod: Obj) -> Obj:
    """The pod template with the placement that the spec asks for; the user's template may still override it."""
    spec = own.spec
    meta, body = dict(pod["metadata"]), dict(pod["spec"])
    if spec.priority_class_name:
        body["priorityClassName"] = spec.priority_class_name
    if gang := spec.gang_scheduling:
        if gang.scheduler_name:
            body["schedulerName"] = gang.scheduler_name
        meta["labels"] = {**{key: _filled(own, text) for key, text in gang.labels.items()}, **meta["labels"]}
        meta["annotations"] = {key: _filled(own, text) for key, text in gang.annotations.items()}
    if spec.topology and spec.topology.colocate:
        term = {"topologyKey": spec.topology.colocate, "labelSelector": _gang(own)}
        body["affinity"] = {"podAffinity": _affinity(term, spec.topology.colocate_policy)}
    if spec.topology and spec.topology.spread:
        required = spec.topology.spread_policy == "Required"
        constraint = {
            "topologyKey": spec.topology.spread,
            "maxSkew": 1,
            "whenUnsatisfiable": "DoNotSchedule" if required else "ScheduleAnyway",
            "labelSelector": _gang(own),
        }
        body["topologySpreadConstraints"] = [constraint]
    if spec.resource_claims:
        body["resourceClaims"] = [claim.model_dump(exclude_none=True) for claim in spec.resource_claims]
    return {"metadata": meta, "spec": body}


def devices(own: StageRun) -> Obj:
    """Fields of the trainer container: resources with claims and RDMA, and the capability to lock memory for RDMA."""
    spec = own.spec
    resources: Obj = spec.resources.model_dump()
    if spec.resource_claims:
        resources["claims"] = [{"name": claim.name} for claim in spec.resource_claims]
    if spec.rdma is None:
        return {"resources": resources}
    count = {spec.rdma.resource_name: str(spec.rdma.count)}
    resources["limits"] = {**resources.get("limits", {}), **count}
    resources["requests"] = {**resources.get("requests", {}), **count}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["IPC_LOCK"]}}
    return {"resources": resources, "securityContext": security}


def avoiding(nodes: tuple[str, ...], pod: Obj) -> Obj:
    """The finished pod template, kept off these Nodes whatever its own affinity says."""
    if not nodes:
        return pod
    keep_away = [{"key": _FROM_NODE_NAME, "operator": "NotIn", "values": [name]} for name in nodes]
    affinity = dict(pod["spec"].get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    # The terms are alternatives, so each of them must exclude the Nodes.
    terms = [
        {**term, "matchFields": [*term.get("matchFields", ()), *keep_away]}
        for term in required.get("nodeSelectorTerms") or [{}]
    ]
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    return {**pod, "spec": {**pod["spec"], "affinity": {**affinity, "nodeAffinity": node_affinity}}}


def _affinity(term: Obj, policy: Strictness) -> Obj:
    if policy == "Required":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": _WEIGHT, "podAffinityTerm": term}]}


def _gang(own: StageRun) -> Obj:
    return {"matchLabels": {JOB_NAME: own.job}}


def _filled(own: StageRun, text: str) -> str:
    return text.replace("{job}", own.job).replace("{nodes}", str(own.stage.width(own.spec)))
