"""Where a run writes: the claim, the folder in it, and the URI of the model there."""

from lamplighter.api.training import TrainingSpec
from lamplighter.core.naming import MANAGED_BY, MANAGER, OWNER_LABEL
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot

MOUNT = "/lamplighter/output"
ARCHIVE = "model.mar"


def claim_name(training: str, spec: TrainingSpec) -> str:
    """The user's claim, or the one that the operator creates."""
    return spec.output.claim_name or f"{training}-models"


def path(owner: Obj, run: int) -> str:
    """The folder of a run. It contains the uid, so that a re-created training never overwrites a served model."""
    meta = owner["metadata"]
    return f"{meta['name']}-{meta['uid'][:8]}/run-{run}"


def uri(claim: str, folder: str) -> str:
    """The URI of the packaged model of a run."""
    return f"pvc://{claim}/{folder}/{ARCHIVE}"


def claim(snapshot: Snapshot, spec: TrainingSpec) -> Obj | None:
    """The claim to create; None when the user named one or the operator's already exists.

    It has no owner, since models outlive the training that made them; its labels identify it.
    """
    name = claim_name(snapshot.name, spec)
    if spec.output.claim_name or ("PersistentVolumeClaim", name) in snapshot.children:
        return None
    body: Obj = {
        "accessModes": list(spec.output.access_modes),
        "resources": {"requests": {"storage": spec.output.size}},
    }
    if spec.output.storage_class_name:
        body["storageClassName"] = spec.output.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": snapshot.namespace,
            "labels": {MANAGED_BY: MANAGER, OWNER_LABEL["ModelTraining"]: snapshot.name},
        },
        "spec": body,
    }
