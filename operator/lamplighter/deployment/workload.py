"""What runs a revision and what finds it: a Deployment each, and one Service that selects the serving one."""

from lamplighter.core.naming import OWNER_LABEL, REVISION, child, child_labels
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot
from lamplighter.deployment import torchserve
from lamplighter.deployment.revision import Revision, object_name


def selector(snapshot: Snapshot, revision: str) -> dict[str, str]:
    """Labels that select the pods of a revision."""
    return {OWNER_LABEL["ModelDeployment"]: snapshot.name, REVISION: revision}


def deployment(snapshot: Snapshot, revision: Revision, replicas: int, default_image: str) -> Obj:
    """The Deployment of a revision. Its pod template never changes: another template is another revision."""
    labels = child_labels(snapshot.obj, **{REVISION: revision.name})
    return child(
        snapshot.obj,
        "apps/v1",
        "Deployment",
        object_name(snapshot.name, revision.name),
        labels,
        spec={
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(snapshot, revision.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": torchserve.pod(snapshot.name, revision, labels, default_image),
        },
    )


def service(snapshot: Snapshot, revision: str) -> Obj:
    """The Service that people send requests to."""
    return child(
        snapshot.obj,
        "v1",
        "Service",
        snapshot.name,
        child_labels(snapshot.obj),
        spec={
            "selector": selector(snapshot, revision),
            "ports": [{"name": "http", "port": 80, "targetPort": torchserve.INFERENCE}],
        },
    )


def scale(deployment: Obj, replicas: int) -> Obj:
    """The patch that gives a Deployment this many replicas."""
    return _patch(deployment, {"replicas": replicas})


def repoint(service: Obj, snapshot: Snapshot, revision: str) -> Obj:
    """The patch that makes the Service select this revision, and by nothing else."""
    strange = dict.fromkeys(service["spec"].get("selector") or {})  # null removes a key that a merge would leave
    return _patch(service, {"selector": strange | selector(snapshot, revision)})


def _patch(obj: Obj, spec: Obj) -> Obj:
    meta = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "spec": spec,
    }
