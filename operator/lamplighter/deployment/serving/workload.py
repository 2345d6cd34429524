"""What runs a revision: a Deployment each, and a budget for the evictions of its pods."""

from lamplighter.core.naming import OWNER_LABEL, REVISION, child, child_labels
from lamplighter.core.objects import Obj, partial
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving import contract, torchserve
from lamplighter.deployment.serving.revision import Revision, object_name


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
    """The headless Service whose addresses are the ready pods of a revision; a kube-proxy in between would hide them.

    Its name is short, so that the first search domain of a router's resolver has it.
    """
    return child(
        snapshot.obj,
        "v1",
        "Service",
        object_name(snapshot.name, revision),
        child_labels(snapshot.obj, **{REVISION: revision}),
        spec={
            "clusterIP": "None",
            "publishNotReadyAddresses": False,
            "selector": selector(snapshot, revision),
            "ports": [
                {"name": "http", "port": contract.INFERENCE, "targetPort": contract.INFERENCE},
                {"name": "grpc", "port": contract.GRPC_INFERENCE, "targetPort": contract.GRPC_INFERENCE},
            ],
        },
    )


def disruption_budget(snapshot: Snapshot, revision: str) -> Obj:
    """Pods of a revision are evicted one after the other, so that a drained Node does not take all of them at once."""
    return child(
        snapshot.obj,
        "policy/v1",
        "PodDisruptionBudget",
        object_name(snapshot.name, revision),
        child_labels(snapshot.obj, **{REVISION: revision}),
        spec={"maxUnavailable": 1, "selector": {"matchLabels": selector(snapshot, revision)}},
    )


def scale(deployment: Obj, replicas: int) -> Obj:
    """The patch that gives a Deployment this many replicas."""
    return partial(deployment, spec={"replicas": replicas})
