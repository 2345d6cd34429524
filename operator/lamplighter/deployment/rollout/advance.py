"""A rollout: which revision is to serve, how far it has come, and which ones go. Pure; changes a draft of the status.

The split follows from the status (split.py), and so does what has to exist (children.py). Nothing is removed that the
status still tells of.
"""

from dataclasses import dataclass

from lamplighter.api.common import seconds
from lamplighter.api.deployment import CandidateStatus, DeploymentStatus, ResolvedModel, RetiringStatus, RevisionStatus
from lamplighter.core.objects import exact, moment
from lamplighter.core.plan import Event
from lamplighter.deployment import strategy
from lamplighter.deployment.rollout import history, steps
from lamplighter.deployment.rollout.steps import Sight
from lamplighter.deployment.serving import revision
from lamplighter.deployment.serving.health import health, in_the_way
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.strategy import AT_ONCE, Course
from lamplighter.deployment.traffic import split
from lamplighter.deployment.traffic.split import Routers
from lamplighter.deployment.view import DeploymentView

_DRAIN = 30.0
"""Seconds beyond the longest request after which one that is still under way keeps nothing any more."""
_SOON, _RARELY = 0.25, 10.0
"""Seconds between two questions to the router pods: at first, and at most."""
_MOST_RETIRING = 12
"""So many that go and cannot be shown to be idle are enough; the next one begins when they are fewer."""
_LOST = 10.0
"""Seconds after which it is looked again whether the last pods are gone that make room: nobody tells of a lost Node."""
_SETTLE = 1.0
"""Seconds that a revision stays at least after its last request was sent: the last ones may be on their way."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The revision that is to serve, and the way there."""

    revision: Revision
    model: ResolvedModel
    course: Course


def goal(view: DeploymentView, draft: DeploymentStatus, wanted: Revision, resolved: ResolvedModel) -> Goal:
    """What the spec asks for, unless somebody decided otherwise for as long as it asks for that."""
    asked = strategy.of(view.spec.strategy)
    if draft.diverted is not None and (draft.diverted.instead_of != wanted.name or _arrived(draft)):
        draft.diverted = None
    if draft.diverted is None:
        return Goal(wanted, resolved, asked)
    found = revision.find(view.snapshot, draft.diverted.revision)
    if found is None:
        draft.diverted = None
        return Goal(wanted, resolved, asked)
    proven = history.served(draft, found.name)
    return Goal(found, found.model, AT_ONCE if proven and not asked.alone else asked)


def _arrived(draft: DeploymentStatus) -> bool:
    """True when what somebody went back to is what the spec asks for, and serves alone."""
    decided = draft.diverted
    serves = draft.stable.revision if draft.stable and not draft.candidate else None
    return decided is not None and decided.revision == decided.instead_of == serves


def advance(view: DeploymentView, draft: DeploymentStatus, target: Goal, routers: Routers) -> tuple[Event, ...]:
    """Bring the draft one step nearer to its goal."""
    _count_ready(view, draft)
    _retire(view, draft, routers)
    stable, name = draft.stable, target.revision.name
    if stable is not None and stable.revision == name:
        stable.model = target.model
        if not _indispensable(view, draft, target.course):
            _drop_candidate(view, draft, f"revision {name} is wanted")
        draft.diverted = None if _arrived(draft) else draft.diverted
        return ()
    current, events = draft.candidate, []
    if current is None or current.revision != name:
        if current is not None and _answers_alone(view, draft, current, target.course):
            events.append(_promote(view, draft, current))  # whether or not the routers could be asked
        _drop_candidate(view, draft, f"revision {name} is wanted now")
        if len(draft.retiring) >= _MOST_RETIRING:
            return tuple(events)
        current = draft.candidate = _begin(view, draft, target)
    current.model = target.model
    if _walk(view, draft, current, target.course, routers):
        return (*events, _promote(view, draft, current))
    if draft.stable is not None:
        draft.stable.weight = 100 - current.weight
    return tuple(events)


def _indispensable(view: DeploymentView, draft: DeploymentStatus, way: Course) -> bool:
    """True for a candidate that answers while the stable revision has not a single pod that could, and should.

    Where there is no room for both, the stable revision gets none before the candidate goes.
    """
    stable, entry = draft.stable, draft.candidate
    alone = stable is not None and not stable.ready_replicas and view.replicas > 0
    return alone and not way.alone and entry is not None and bool(entry.weight and entry.ready_replicas)


def _answers_alone(view: DeploymentView, draft: DeploymentStatus, entry: CandidateStatus, way: Course) -> bool:
    """True for a candidate that gets every request, and answers, as nobody else could: what comes next replaces it.

    One that gets a part of them is no proof against what it is about to be replaced for, so it goes.
    """
    if draft.stable is None:
        return entry.ready_replicas > 0
    return entry.weight == 100 and _indispensable(view, draft, way)


def rest(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """There is no model to roll out: what serves goes on serving."""
    _count_ready(view, draft)
    _retire(view, draft, routers)
    if draft.stable is not None and not _indispensable(view, draft, AT_ONCE):
        _drop_candidate(view, draft, "there is no model to roll out any more")


def fall(view: DeploymentView, draft: DeploymentStatus) -> bool:
    """Give a candidate no more than its ready pods can take; true when it had more.

    It is all that is done to a rollout while the API server refuses something: a quota that is used up must not hold
    the weight of a revision whose pods die.
    """
    entry, stable = draft.candidate, draft.stable
    if entry is None or stable is None or strategy.of(view.spec.strategy).alone:
        return False
    _count_ready(view, draft)
    before = entry.weight
    steps.fit(entry, Sight(view.replicas, entry.ready_replicas, stable.ready_replicas), view.now)
    stable.weight = 100 - entry.weight
    return entry.weight < before


def waits(view: DeploymentView, draft: DeploymentStatus, target: Goal | None, routers: Routers) -> list[float | None]:
    """Seconds until something is due that no watch tells of."""
    found: list[float | None] = []
    unverified = routers.ready > 0 and not draft.router.verified
    found.append(_LOST if _makes_room(view, draft, target) else None)
    if draft.candidate is not None and target is not None:
        found.append(steps.waits(draft.candidate, target.course, view.now))
        unverified = unverified or _awaits_routers(view, draft.candidate, target.course)
        if (left := deadline_left(view, draft)) is not None and left > 0:
            found.append(left)
    if draft.retiring:
        found += [
            max(_keep(view, entry, draft) - _age(view, entry.since), _pause(view, entry.since, _SETTLE))
            for entry in draft.retiring
        ]
    if unverified:
        found.append(_pause(view, draft.router.unverified_since, _SOON))
    return found


def _makes_room(view: DeploymentView, draft: DeploymentStatus, target: Goal | None) -> bool:
    """True where a revision has no pods before those of all others have ended."""
    if target is not None:
        return target.course.alone and bool(in_the_way(view, target.revision.name))
    alone = strategy.of(view.spec.strategy).alone and draft.stable is not None
    return alone and bool(in_the_way(view, draft.stable.revision if draft.stable else ""))


def _pause(view: DeploymentView, since: str | None, least: float) -> float:
    """Seconds until the router pods are asked again: the longer in vain, the later."""
    return min(max(_age(view, since) / 8 if since else 0.0, least), _RARELY)


def unverified(view: DeploymentView, draft: DeploymentStatus) -> float:
    """Seconds since when not every router pod has said that it has what the status tells of."""
    since = draft.router.unverified_since
    return _age(view, since) if since else 0.0


def deadline_left(view: DeploymentView, draft: DeploymentStatus) -> float | None:
    """Seconds until a candidate that gets no further is told of as stalled; None while it is not its own doing."""
    entry = draft.candidate
    if entry is None or draft.paused or entry.advanced_at is None:
        return None
    since: str | None = entry.advanced_at
    if entry.step_since is not None:  # it holds, and only routers that do not say so any more can be in its way
        since = draft.router.unverified_since
    return seconds(view.spec.strategy.progress_deadline) - _age(view, since) if since else None


def _walk(view: DeploymentView, draft: DeploymentStatus, entry: CandidateStatus, way: Course, routers: Routers) -> bool:
    standing = draft.stable.ready_replicas if draft.stable is not None else 0
    seen = routers.healthy(entry.revision)
    verified = routers.verified and split.frame(view, draft) == split.frame(view, view.status)
    sight = Sight(view.replicas, entry.ready_replicas, standing, seen, verified)
    if draft.stable is not None and not way.alone:
        return steps.walk(entry, way, sight, view.now, paused=draft.paused)
    entry.step_since = None
    if draft.stable is not None and ((draft.paused and not entry.weight) or in_the_way(view, entry.revision)):
        return False  # the old one goes first
    fresh = entry.weight == 100
    entry.weight, entry.progress = 100, way.progress(len(way.steps))
    return fresh and sight.verified and min(sight.ready, sight.seen) >= sight.replicas


def _begin(view: DeploymentView, draft: DeploymentStatus, target: Goal) -> CandidateStatus:
    draft.retiring = [entry for entry in draft.retiring if entry.revision != target.revision.name]
    entry = CandidateStatus(
        revision=target.revision.name,
        model=target.model,
        since=exact(view.now),
        progress=target.course.progress(0),
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


def _retire(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """Forget what no router sends to, and what has answered all it was sent.

    Before anything served, a router of which no pod runs keeps nothing: it may never come up, and specs be corrected.
    """
    nobody_sends = routers.verified or (draft.stable is None and not routers.ready)
    if not (nobody_sends and routers.lingering_follow):
        return
    draft.retiring = [entry for entry in draft.retiring if not _drained(view, entry, draft, routers)]


def _drained(view: DeploymentView, entry: RetiringStatus, draft: DeploymentStatus, routers: Routers) -> bool:
    age = _age(view, entry.since) - _keep(view, entry, draft)
    idle = routers.active(entry.revision) == 0 and age >= _SETTLE
    return idle or age >= split.options(view, view.status).timeout + _DRAIN


def _keep(view: DeploymentView, entry: RetiringStatus, draft: DeploymentStatus) -> float:
    """Seconds that a revision is kept warm: the last one that served, since no more is promised for an undo."""
    last = next((one for one in reversed(draft.retiring) if one.served), None)
    return strategy.of(view.spec.strategy).keep if entry == last else 0.0


def _awaits_routers(view: DeploymentView, entry: CandidateStatus, way: Course) -> bool:
    """True when the candidate's pods are ready, and the routers have not seen it yet."""
    return entry.step_since is None and entry.ready_replicas >= way.size(entry.step, view.replicas)


def _count_ready(view: DeploymentView, draft: DeploymentStatus) -> None:
    for entry in (draft.stable, draft.candidate):
        if entry is not None:
            _count(view, entry)


def _count(view: DeploymentView, entry: RevisionStatus) -> None:
    entry.ready_replicas = health(view.snapshot, entry.revision, view.replicas).ready


def _age(view: DeploymentView, since: str) -> float:
    return (view.now - moment(since)).total_seconds()


def which(entry: RevisionStatus) -> str:
    """The model of a revision, for people."""
    model = entry.model
    origin = f"run {model.run} of {model.training}" if model.training else model.uri
    return f"{origin}, sha256 {model.sha256}"
