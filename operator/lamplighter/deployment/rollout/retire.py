"""How long a revision that gets no requests any more is kept: until no router sends to it and it has answered. Pure."""

from lamplighter.api.deployment import DeploymentStatus, RetiringStatus
from lamplighter.deployment.strategy import rollout_strategy
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

SETTLE = 1.0
"""Seconds that a revision stays at least after the routers stopped sending to it: last requests may still arrive."""
_DRAIN = 30.0
"""Seconds beyond the longest request timeout after which requests in flight no longer keep a revision."""


def forget(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """Take out of the status what no router sends to and what has answered all it was sent.

    Until a revision has served, this happens even with no router ready: routers may never start until the spec is
    corrected.
    """
    no_router_sends = routers.verified or (draft.stable is None and not routers.ready)
    if not (no_router_sends and routers.lingering_verified):
        return
    draft.retiring = [entry for entry in draft.retiring if not _drained(view, entry, draft, routers)]


def due_in(view: DeploymentView, entry: RetiringStatus, draft: DeploymentStatus) -> float:
    """Seconds until a revision need not be kept warm any more; negative when that time is over."""
    return _keep(view, entry, draft) - view.age(entry.since)


def _drained(view: DeploymentView, entry: RetiringStatus, draft: DeploymentStatus, routers: Routers) -> bool:
    over = -due_in(view, entry, draft)
    idle = routers.active(entry.revision) == 0 and over >= SETTLE
    return idle or over >= routers.split.forwarding.timeout + _DRAIN


def _keep(view: DeploymentView, entry: RetiringStatus, draft: DeploymentStatus) -> float:
    """Seconds that a revision is kept warm: only the last one that served, for a quick undo."""
    last = next((one for one in reversed(draft.retiring) if one.served), None)
    return rollout_strategy(view.spec.strategy).keep if entry == last else 0.0
