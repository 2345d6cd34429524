"""How long a revision that gets no requests any more is kept: until no router sends to it and it has answered. Pure."""

from lamplighter.api.deployment import DeploymentStatus, RetiringStatus
from lamplighter.deployment.strategy import rollout_strategy
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

SETTLE = 1.0
"""Seconds that a revision stays at least after the routers stopped sending to it: last requests may still arrive."""
_DRAIN = 30.0
"""Seconds beyond the longest request after which a request that is still in flight keeps nothing any more."""


def forget(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """Take out of the status what no router sends to and what has answered all it was sent.

    Before anything served, a router of which no pod runs keeps nothing: it may never come up, and specs be corrected.
    """
    nobody_sends = routers.verified or (draft.stable is None and not routers.ready)
    if not (nobody_sends and routers.lingering_verified):
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
    """Seconds that a revision is kept warm: the last one that served, since no more is promised for an undo."""
    last = next((one for one in reversed(draft.retiring) if one.served), None)
    return rollout_strategy(view.spec.strategy).keep if entry == last else 0.0
