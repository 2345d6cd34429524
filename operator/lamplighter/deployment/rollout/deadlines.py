"""When a rollout has to be looked at again, and when it has taken too long. Pure."""

from lamplighter.api.common import seconds
from lamplighter.api.deployment import CandidateStatus, DeploymentStatus
from lamplighter.deployment.rollout import retire, steps
from lamplighter.deployment.rollout.advance import Target
from lamplighter.deployment.serving.health import in_the_way
from lamplighter.deployment.strategy import RolloutStrategy, rollout_strategy
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

_SOON, _RARELY = 0.25, 10.0
"""Seconds between two questions to the routers: at first, and at most."""
_LOST = 10.0
"""Seconds between two looks at pods that have to end first: no watch tells that a Node is lost."""


def waits(view: DeploymentView, draft: DeploymentStatus, target: Target | None, routers: Routers) -> list[float | None]:
    """Seconds until something is due that no watch reports."""
    found: list[float | None] = []
    unverified = routers.ready > 0 and not draft.router.verified
    found.append(_LOST if _makes_room(view, draft, target) else None)
    if draft.candidate is not None and target is not None:
        found.append(steps.waits(draft.candidate, target.strategy, view.now))
        unverified = unverified or _awaits_routers(view, draft.candidate, target.strategy)
        if (left := progress_left(view, draft)) is not None and left > 0:
            found.append(left)
    found += [
        max(retire.due_in(view, entry, draft), _pause(view, entry.since, retire.SETTLE)) for entry in draft.retiring
    ]
    if unverified:
        found.append(_pause(view, draft.router.unverified_since, _SOON))
    return found


def progress_left(view: DeploymentView, draft: DeploymentStatus) -> float | None:
    """Seconds until a candidate that does not advance counts as stalled; None while it is not expected to advance."""
    entry = draft.candidate
    if entry is None or draft.paused or entry.advanced_at is None:
        return None
    since: str | None = entry.advanced_at
    if entry.step_since is not None:  # holding: only routers that stop confirming the split can delay it
        since = draft.router.unverified_since
    return seconds(view.spec.strategy.progress_deadline) - view.age(since) if since else None


def unverified_for(view: DeploymentView, draft: DeploymentStatus) -> float:
    """Seconds for which not every router has said that it has the split that the status asks for."""
    since = draft.router.unverified_since
    return view.age(since) if since else 0.0


def _makes_room(view: DeploymentView, draft: DeploymentStatus, target: Target | None) -> bool:
    """True where a revision gets no pods before the pods of all others have ended."""
    if target is not None:
        return target.strategy.alone and bool(in_the_way(view, target.revision.name))
    alone = rollout_strategy(view.spec.strategy).alone and draft.stable is not None
    return alone and bool(in_the_way(view, draft.stable.revision if draft.stable else ""))


def _awaits_routers(view: DeploymentView, entry: CandidateStatus, strategy: RolloutStrategy) -> bool:
    """True when the candidate's pods are ready, and the routers have not seen them yet."""
    return entry.step_since is None and entry.ready_replicas >= strategy.size(entry.step, view.replicas)


def _pause(view: DeploymentView, since: str | None, least: float) -> float:
    """Seconds until the routers are asked again: the longer they have not confirmed, the later."""
    return min(max(view.age(since) / 8 if since else 0.0, least), _RARELY)
