"""The history of a deployment: what served, and what was aborted or replaced and why. Pure."""

from lamplighter.api.deployment import Change, DeploymentStatus, RevisionStatus
from lamplighter.core.objects import exact
from lamplighter.deployment.serving import revision
from lamplighter.deployment.view import DeploymentView

SERVED, ABORTED, REPLACED = "Served", "Aborted", "Replaced"
_KEPT = 20


def remember(view: DeploymentView, draft: DeploymentStatus, entry: RevisionStatus, outcome: str, reason: str) -> None:
    """Write a line on top of the history."""
    line = Change(
        revision=entry.revision,
        sha256=entry.model.sha256,
        outcome=outcome,
        since=entry.since,
        until=exact(view.now),
        reason=reason[:512],
    )
    lines = [line, *draft.history]
    kept = lines[:_KEPT]
    served = [one for one in lines if one.outcome == SERVED]
    if served and not any(one.outcome == SERVED for one in kept):
        kept[-1] = served[0]  # what an undo goes back to must not be forgotten for what never served
    draft.history = kept


def served(draft: DeploymentStatus, name: str) -> bool:
    """True when the revision was once the stable one."""
    return any(line.revision == name and line.outcome == SERVED for line in draft.history)


def before(view: DeploymentView, draft: DeploymentStatus) -> str | None:
    """The revision that served before the stable one, and is kept."""
    stable = draft.stable.revision if draft.stable else None
    return next(
        (
            line.revision
            for line in draft.history
            if line.outcome == SERVED and line.revision != stable and revision.find(view.snapshot, line.revision)
        ),
        None,
    )
