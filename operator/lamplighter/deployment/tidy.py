"""What is removed: Deployments that neither serve nor are coming up, and revisions beyond the history limit."""

from dataclasses import replace

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.naming import REVISION
from lamplighter.core.objects import Obj, labels, ref
from lamplighter.core.plan import Plan
from lamplighter.deployment import workload
from lamplighter.deployment.verdict import DeploymentView


def tidy(view: DeploymentView, plan: Plan) -> Plan:
    """Add the deletes that are due.

    A revision goes only after the status that was read, the Service that was read and the status that is about to be
    written all point elsewhere; its pods finish what they have begun (see torchserve.DRAIN_SECONDS). Before anything is
    stable that holds for the candidate: one that never came up must not keep the GPUs that its correction needs.
    """
    wanted = view.status.stable or view.status.candidate
    service = view.snapshot.owned("Service", view.snapshot.name)
    if wanted is None or service is None:
        return plan
    if service["spec"].get("selector") != workload.selector(view.snapshot, wanted.revision):
        return plan
    coming = view.status if plan.status is None else DeploymentStatus.model_validate(plan.status)
    in_use = {
        entry.revision
        for known in (view.status, coming)
        for entry in (known.stable, known.candidate)
        if entry is not None
    }
    gone = [obj for obj in view.snapshot.all_owned("Deployment") if _revision(obj) not in in_use]
    idle = [obj for obj in view.snapshot.all_owned("ControllerRevision") if _revision(obj) not in in_use]
    idle.sort(key=lambda obj: obj["revision"], reverse=True)
    forgotten = idle[view.spec.revision_history_limit :]
    due = [ref(obj) for obj in [*gone, *forgotten] if "deletionTimestamp" not in obj["metadata"]]
    return replace(plan, delete=(*plan.delete, *due))


def _revision(obj: Obj) -> str:
    return labels(obj).get(REVISION, "")
