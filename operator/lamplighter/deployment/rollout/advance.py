"""One step of a rollout: which revision is to serve, and how far it may go now. Pure; changes a draft of the status.

The split of the requests follows from the status (traffic/split.py), and so does what has to exist (children.py).
Nothing is removed that the status still names.
"""

from dataclasses import dataclass

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus, ResolvedModel, RetiringStatus, RevisionStatus
from lamplighter.core.objects import exact
from lamplighter.core.plan import Event
from lamplighter.deployment.rollout import history, retire, steps
from lamplighter.deployment.rollout.steps import Counts
from lamplighter.deployment.serving import revision
from lamplighter.deployment.serving.health import health, in_the_way
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.strategy import AT_ONCE, RolloutStrategy, rollout_strategy
from lamplighter.deployment.traffic.split import topology
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

_MOST_RETIRING = 12
"""The most revisions that may be retiring when another one starts: each of them may still have pods."""


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that is to serve, and the way there."""

    revision: Revision
    model: ResolvedModel
    strategy: RolloutStrategy


def target_of(view: DeploymentView, draft: DeploymentStatus, wanted: Revision, resolved: ResolvedModel) -> Target:
    """What the spec asks for, unless an abort or an undo chose another revision for as long as the spec stays so."""
    asked = rollout_strategy(view.spec.strategy)
    if draft.diverted is not None and (draft.diverted.instead_of != wanted.name or _arrived(draft)):
        draft.diverted = None
    if draft.diverted is None:
        return Target(wanted, resolved, asked)
    found = revision.find(view.snapshot, draft.diverted.revision)
    if found is None:
        draft.diverted = None
        return Target(wanted, resolved, asked)
    proven = history.served(draft, found.name)
    return Target(found, found.model, AT_ONCE if proven and not asked.alone else asked)


def _arrived(draft: DeploymentStatus) -> bool:
    """True when the revision that an abort or undo chose is what the spec asks for, and serves alone."""
    decided = draft.diverted
    serves = draft.stable.revision if draft.stable and not draft.candidate else None
    return decided is not None and decided.revision == decided.instead_of == serves


def advance(view: DeploymentView, draft: DeploymentStatus, target: Target, routers: Routers) -> tuple[Event, ...]:
    """Bring the draft one step nearer to its target."""
    _count_ready(view, draft)
    retire.forget(view, draft, routers)
    stable, name = draft.stable, target.revision.name
    if stable is not None and stable.revision == name:
        stable.model = target.model
        if not _indispensable(view, draft, target.strategy):
            _drop_candidate(view, draft, f"revision {name} is to serve instead")
        draft.diverted = None if _arrived(draft) else draft.diverted
        return ()
    current, events = draft.candidate, []
    if current is None or current.revision != name:
        if current is not None and _answers_alone(view, draft, current, target.strategy):
            events.append(_promote(view, draft, current))  # even if the routers could not be asked
        _drop_candidate(view, draft, f"revision {name} is to serve instead")
        if len(draft.retiring) >= _MOST_RETIRING:
            return tuple(events)
        current = draft.candidate = _begin(view, draft, target)
    current.model = target.model
    if _walk(view, draft, current, target.strategy, routers):
        return (*events, _promote(view, draft, current))
    if draft.stable is not None:
        draft.stable.weight = 100 - current.weight
    return tuple(events)


def rest(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """There is no model to roll out: what serves continues to serve."""
    _count_ready(view, draft)
    retire.forget(view, draft, routers)
    if draft.stable is not None and not _indispensable(view, draft, AT_ONCE):
        _drop_candidate(view, draft, "there is no longer a model to roll out")


def lower(view: DeploymentView, draft: DeploymentStatus) -> bool:
    """Give a candidate no more than its ready pods can take; true when it had more.

    While the API server refuses a request, only this is done to a rollout: an exhausted quota must not keep weight on a
    revision whose pods die.
    """
    entry, stable = draft.candidate, draft.stable
    if entry is None or stable is None or rollout_strategy(view.spec.strategy).alone:
        return False
    _count_ready(view, draft)
    before = entry.weight
    steps.fit(entry, Counts(view.replicas, entry.ready_replicas, stable.ready_replicas), view.now)
    stable.weight = 100 - entry.weight
    return entry.weight < before


def _indispensable(view: DeploymentView, draft: DeploymentStatus, strategy: RolloutStrategy) -> bool:
    """True for a candidate that answers while the stable revision, which should have pods, has none that is ready.

    Where there is no room for both, the stable revision gets no pod before the candidate goes.
    """
    stable, entry = draft.stable, draft.candidate
    alone = stable is not None and not stable.ready_replicas and view.replicas > 0
    return alone and not strategy.alone and entry is not None and bool(entry.weight and entry.ready_replicas)


def _answers_alone(
    view: DeploymentView, draft: DeploymentStatus, entry: CandidateStatus, strategy: RolloutStrategy
) -> bool:
    """True for a candidate that gets every request and answers, as no other revision could: the next one replaces it.

    One that gets only a part of the requests is dropped: it has proved no more than what replaces it.
    """
    if draft.stable is None:
        return entry.ready_replicas > 0
    return entry.weight == 100 and _indispensable(view, draft, strategy)


def _walk(
    view: DeploymentView, draft: DeploymentStatus, entry: CandidateStatus, strategy: RolloutStrategy, routers: Routers
) -> bool:
    standing = draft.stable.ready_replicas if draft.stable is not None else 0
    seen = routers.healthy(entry.revision)
    verified = routers.verified and topology(view, draft) == routers.split.topology
    counts = Counts(view.replicas, entry.ready_replicas, standing, seen, verified)
    if draft.stable is not None and not strategy.alone:
        return steps.walk(entry, strategy, counts, view.now, paused=draft.paused)
    entry.step_since = None
    if draft.stable is not None and ((draft.paused and not entry.weight) or in_the_way(view, entry.revision)):
        return False  # the old revision's pods stop first
    fresh = entry.weight == 100
    entry.weight, entry.progress = 100, strategy.progress(len(strategy.steps))
    return fresh and counts.verified and min(counts.ready, counts.seen) >= counts.replicas


def _begin(view: DeploymentView, draft: DeploymentStatus, target: Target) -> CandidateStatus:
    draft.retiring = [entry for entry in draft.retiring if entry.revision != target.revision.name]
    entry = CandidateStatus(
        revision=target.revision.name,
        model=target.model,
        since=exact(view.now),
        progress=target.strategy.progress(0),
    )
    steps.enter(entry, 0, view.now)
    _count(view, entry)
    return entry


def _promote(view: DeploymentView, draft: DeploymentStatus, entry: CandidateStatus) -> Event:
    before, now = draft.stable, exact(view.now)
    draft.stable = RevisionStatus(
        revision=entry.revision, model=entry.model, since=now, ready_replicas=entry.ready_replicas
    )
    draft.candidate = None
    if before is not None:
        reason = f"revision {entry.revision} took over"
        history.remember(view, draft, before, history.SERVED, reason)
        draft.retiring.append(RetiringStatus(revision=before.revision, since=now, served=True))
    return Event("Normal", "RolledOut", f"revision {entry.revision} serves {which(entry)}")


def _drop_candidate(view: DeploymentView, draft: DeploymentStatus, why: str) -> None:
    """The candidate goes."""
    entry = draft.candidate
    if entry is None:
        return
    if draft.diverted is not None and draft.diverted.reason == history.ABORTED:
        history.remember(view, draft, entry, history.ABORTED, draft.diverted.cause)
    else:
        history.remember(view, draft, entry, history.REPLACED, why)
    draft.candidate = None
    draft.retiring.append(RetiringStatus(revision=entry.revision, since=exact(view.now)))
    if draft.stable is not None:
        draft.stable.weight = 100


def _count_ready(view: DeploymentView, draft: DeploymentStatus) -> None:
    for entry in (draft.stable, draft.candidate):
        if entry is not None:
            _count(view, entry)


def _count(view: DeploymentView, entry: RevisionStatus) -> None:
    entry.ready_replicas = health(view.snapshot, entry.revision, view.replicas).ready


def which(entry: RevisionStatus) -> str:
    """The model of a revision, for people."""
    model = entry.model
    origin = f"run {model.run} of {model.training}" if model.training else model.uri
    return f"{origin}, sha256 {model.sha256}"
