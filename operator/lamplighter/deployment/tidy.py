"""What is removed: what no router sends to and nobody brings up, and revisions beyond the history limit."""

from dataclasses import replace

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, labels, ref
from lamplighter.core.plan import Plan
from lamplighter.deployment.traffic import split
from lamplighter.deployment.traffic.envoy import router
from lamplighter.deployment.view import DeploymentView

_REVISIONS = ("Deployment", "Service", "PodDisruptionBudget")
"""What a revision has of its own, beside the ControllerRevision that remembers it."""


def tidy(view: DeploymentView, plan: Plan) -> Plan:
    """Add the deletes that are due.

    A revision goes only when neither the status that was read nor the one that is about to be written tells of it. It
    left the status when every router pod had said that it sends nothing there, and all it was sent was answered.
    """
    service = view.snapshot.owned("Service", view.snapshot.name)
    if service is None or service["spec"].get("selector") != router.service(view.snapshot)["spec"]["selector"]:
        return plan
    coming = view.status if plan.status is None else DeploymentStatus.model_validate(plan.status)
    in_use = {name for status in (view.status, coming) for name in _told_of(status)}
    if not in_use:
        return plan
    gone = [obj for kind in _REVISIONS for obj in view.snapshot.all_owned(kind) if _idle(obj, in_use)]
    kept = in_use | {name for status in (view.status, coming) for name in _decided(status)}
    idle = [obj for obj in view.snapshot.all_owned("ControllerRevision") if _idle(obj, kept)]
    idle.sort(key=lambda obj: obj["revision"], reverse=True)
    forgotten = idle[view.spec.revision_history_limit :]
    gone += _relieved(view) + _unpreviewed(view, coming)
    due = [ref(obj) for obj in [*gone, *forgotten] if "deletionTimestamp" not in obj["metadata"]]
    return replace(plan, delete=(*plan.delete, *due))


def _relieved(view: DeploymentView) -> list[Obj]:
    """Routers for which others have taken over."""
    found = view.snapshot.owned("Deployment", router.deployment_name(view.snapshot, view.spec.router))
    if found is None or int(found.get("status", {}).get("readyReplicas") or 0) < view.spec.router.replicas:
        return []
    return [obj for obj in router.deployments(view.snapshot) if obj["metadata"]["name"] != found["metadata"]["name"]]


def _unpreviewed(view: DeploymentView, coming: DeploymentStatus) -> list[Obj]:
    """The preview's Service when there is nothing to preview any more."""
    found = view.snapshot.owned("Service", f"{view.snapshot.name}-preview")
    return [found] if found is not None and split.traffic(view, coming).preview is None else []


def _told_of(status: DeploymentStatus) -> set[str]:
    active = {entry.revision for entry in (status.stable, status.candidate) if entry is not None}
    return active | {entry.revision for entry in status.retiring}


def _decided(status: DeploymentStatus) -> set[str]:
    """Revisions of a decision that stands: without them nobody could tell what was decided."""
    return {status.diverted.revision, status.diverted.instead_of} if status.diverted else set()


def _idle(obj: Obj, in_use: set[str]) -> bool:
    revision = labels(obj).get(REVISION)
    return revision is not None and revision not in in_use
