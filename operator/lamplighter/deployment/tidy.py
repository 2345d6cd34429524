"""What is removed: revisions that no router sends to and the status does not name, and those beyond the history limit.

Pure.
"""

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, Ref, labels, ref
from lamplighter.deployment.traffic.provider import TrafficProvider
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.view import DeploymentView

_REVISIONS = ("Deployment", "Service", "PodDisruptionBudget")
"""The objects of a revision, beside the ControllerRevision that remembers it."""


def due(view: DeploymentView, draft: DeploymentStatus, split: Split, provider: TrafficProvider) -> tuple[Ref, ...]:
    """What is to be deleted.

    A revision goes only when neither the status that was read nor ``draft``, which is about to be written, names it.
    It left the status when every router had said that it sends nothing there, and its requests were answered.
    """
    if not provider.in_charge(view.snapshot):
        return ()
    in_use = {name for status in (view.status, draft) for name in _named(status)}
    if not in_use:
        return ()
    gone = [obj for kind in _REVISIONS for obj in view.snapshot.all_owned(kind) if _idle(obj, in_use)]
    kept = in_use | {name for status in (view.status, draft) for name in _chosen(status)}
    idle = [obj for obj in view.snapshot.all_owned("ControllerRevision") if _idle(obj, kept)]
    idle.sort(key=lambda obj: obj["revision"], reverse=True)
    forgotten = idle[view.spec.revision_history_limit :]
    found = [*gone, *provider.stale(view, split), *forgotten]
    return tuple(ref(obj) for obj in found if "deletionTimestamp" not in obj["metadata"])


def _named(status: DeploymentStatus) -> set[str]:
    active = {entry.revision for entry in (status.stable, status.candidate) if entry is not None}
    return active | {entry.revision for entry in status.retiring}


def _chosen(status: DeploymentStatus) -> set[str]:
    """Revisions of an abort or undo in force: both are kept, so that it can still be explained and reversed."""
    return {status.diverted.revision, status.diverted.instead_of} if status.diverted else set()


def _idle(obj: Obj, in_use: set[str]) -> bool:
    revision = labels(obj).get(REVISION)
    return revision is not None and revision not in in_use
