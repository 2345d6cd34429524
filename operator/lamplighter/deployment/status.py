"""Writing down how a deployment stands: state, conditions, and what the scale subresource reads."""

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus
from lamplighter.core.conditions import READY, STALLED, set_condition
from lamplighter.core.errors import TerminalError
from lamplighter.core.naming import ABORT, PROMOTE, RESUME, SKIP, UNDO
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Event, Plan
from lamplighter.deployment.rollout import advance, steps
from lamplighter.deployment.rollout.advance import Goal
from lamplighter.deployment.serving import readiness, torchserve, workload
from lamplighter.deployment.serving.health import (
    asked_for,
    existing,
    health,
    in_the_way,
    router_obstacle,
    routers_missing,
)
from lamplighter.deployment.traffic import split
from lamplighter.deployment.traffic.split import Routers
from lamplighter.deployment.view import DeploymentView

AVAILABLE = "Available"
_SWAPPED = 15.0
"""Seconds in which a newer configuration is with all routers: one that refused some earlier one may take this one."""
_WAITING = frozenset({"WaitingForModel", "TrainingNotFound"})
"""What comes by itself, as when a training and its deployment are applied together."""
_STALLING = frozenset(
    {
        "ContainerCannotRun",
        "ConfigurationError",
        "ContainerConfigError",
        "DigestMismatch",
        "ImagePullFailed",
        "InvalidArchive",
        "ModelNotFound",
        "OOMKilled",
        "PodsRefused",
        "PredictionFailed",
        "SignatureMismatch",
        "SignatureMissing",
        "UserError",
        "WorkerFailed",
    }
)
"""Obstacles that do not go away by waiting."""


def describe(view: DeploymentView, status: DeploymentStatus, target: Goal, routers: Routers) -> None:
    """The verdict on the rollout."""
    name = target.revision.name
    seen = health(view.snapshot, name, _wanted(view, status, target))
    counted = f"revision {name}: {seen.ready} of {seen.wanted} pods are ready{_held(view, status, name)}"
    obstacle, entry = None if seen.complete else seen.obstacle, status.candidate
    left = advance.deadline_left(view, status)
    late = left is not None and left <= 0
    if obstacle is not None and (obstacle.reason in _STALLING or not late):
        stalled = obstacle.reason in _STALLING
        said = f"{_where(status, entry)}{counted}. {obstacle.message}"
        _conclude(view, status, reason=obstacle.reason, message=said, progressing=not stalled, stalled=stalled)
    elif routers.rejected and advance.unverified(view, status) >= _SWAPPED:
        said = "a router pod refuses its configuration and goes on with the one before; please report it, with its log"
        _conclude(view, status, reason="RouterRefused", message=said, stalled=True)
    elif late:
        reason = "ProgressDeadlineExceeded"
        said = f"no progress within spec.strategy.progressDeadline, {view.spec.strategy.progress_deadline}: "
        said += f"{_where(status, entry)}{counted}{_awaited(view, status, target, seen.complete, routers)}"
        said += f". {obstacle.message}" if obstacle else ""
        _conclude(view, status, reason=reason, message=said, stalled=True)
    elif entry is not None:
        _under_way(view, status, target, entry, counted + _awaited(view, status, target, seen.complete, routers))
    elif status.diverted is not None and status.diverted.reason == "Aborted":
        awaited = "" if seen.complete else f": {counted}{_awaited(view, status, target, seen.complete, routers)}"
        serves = f"{name} {'serves' if seen.complete else 'is to serve'}{awaited}"
        said = f"revision {status.diverted.instead_of} was aborted ({status.diverted.cause}) and {serves}. Change "
        said += f"the spec, or try it again: {UNDO}: {status.diverted.instead_of}"
        _conclude(view, status, reason="Aborted", message=said, stalled=True)
    elif seen.complete and not routers.ready:
        found = router_obstacle(view)
        said = f"{counted}, and no router pod of {routers.wanted}{f'. {found.message}' if found else ''}"
        _conclude(view, status, reason="RouterNotReady", message=said, progressing=True)
    elif seen.complete and (missing := routers_missing(view)):
        found = router_obstacle(view)
        said = f"{counted}, and {missing}{f'. {found.message}' if found else ''}"
        reason = "RouterNotReady" if found else "RollingOut"
        _conclude(view, status, reason=reason, message=said, progressing=True)
    elif seen.complete and (status.router.verified or _stays_ready(view, status)):
        undone = status.diverted
        said = f"; the spec asks for {undone.instead_of} ({undone.cause})" if undone is not None else ""
        _conclude(view, status, reason="Ready", message=counted + said)
    else:
        said = counted + _awaited(view, status, target, seen.complete, routers)
        _conclude(view, status, reason="RollingOut", message=said, progressing=True)


def _stays_ready(view: DeploymentView, status: DeploymentStatus) -> bool:
    """True when it was Ready and asks for the same split: routers have only to forget a revision that went."""
    before = view.status
    current = before.state == "Ready" and before.observed_generation == view.snapshot.generation
    return current and status.router.traffic == split.shares(split.traffic(view, status))


def _under_way(
    view: DeploymentView, status: DeploymentStatus, target: Goal, entry: CandidateStatus, counted: str
) -> None:
    where = _where(status, entry)
    if status.paused:
        said = f"{where}paused by somebody; {RESUME} or {PROMOTE} let it go on, {ABORT} gives it up"
        _conclude(view, status, reason="Paused", message=said, progressing=True)
    elif steps.pausing(entry, target.course, view.now):
        said = f"{where}waits for somebody: {RESUME}, {SKIP} or {PROMOTE} let it go on, {ABORT} gives it up"
        _conclude(view, status, reason="Paused", message=said, progressing=True)
    elif entry.step_since is not None:
        hold = target.course.step(entry.step).hold
        holds = status.router.verified
        unsaid = "" if holds else ", but not every router pod says now that it has the newest split"
        said = f"{where}holds for {hold} since {entry.step_since}{unsaid}"
        _conclude(view, status, reason="Holding" if holds else "RollingOut", message=said, progressing=True)
    else:
        _conclude(view, status, reason="RollingOut", message=where + counted, progressing=True)


def _where(status: DeploymentStatus, entry: CandidateStatus | None) -> str:
    """How far the candidate has come; nothing to tell while it is alone."""
    if entry is None or status.stable is None:
        return ""
    mirrored = f" and a copy of {entry.mirror} %" if entry.mirror else ""
    return f"step {entry.progress}, {entry.weight} % of the requests{mirrored} for revision {entry.revision}: "


def _limping(view: DeploymentView, status: DeploymentStatus) -> str:
    """What the pods of the stable revision complain of while another one is on its way."""
    if status.stable is None or status.candidate is None:
        return ""
    name = status.stable.revision
    seen = health(view.snapshot, name, asked_for(view.snapshot, name))
    if seen.obstacle is None:
        return ""
    return f"; stable revision {name}: {seen.ready} of {seen.wanted} pods are ready. {seen.obstacle.message}"


def _held(view: DeploymentView, status: DeploymentStatus, name: str) -> str:
    """What revisions that are going keep from the wanted one, because routers do not say that they follow."""
    if all(entry is None or entry.revision != name for entry in (status.stable, status.candidate)):
        return f"; it begins when one of the {len(status.retiring)} that are going is gone, which no router may send to"
    going = [entry.revision for entry in status.retiring if existing(view.snapshot, entry.revision)]
    if status.stable is not None or not going or advance.unverified(view, status) < _SWAPPED:
        return ""
    return f"; pods of revision {' and '.join(going)} stay until every router pod says that it has the newest split"


def _awaited(view: DeploymentView, status: DeploymentStatus, target: Goal, complete: bool, routers: Routers) -> str:
    """What is missing beside the pods of the revision."""
    if target.course.alone and not complete and (left := in_the_way(view, target.revision.name)):
        return f"; those of revision {' and '.join(left)} have to end first"
    if not routers.ready:
        return f", and no router pod of {routers.wanted}"
    if complete and not status.router.verified:
        return ", and not every router pod has the newest split yet"
    return ""


def _wanted(view: DeploymentView, status: DeploymentStatus, target: Goal) -> int:
    """How many pods of the wanted revision there should be now."""
    if status.candidate is None or status.stable is None:
        return view.replicas
    return target.course.size(status.candidate.step, view.replicas)


def complaints(view: DeploymentView, status: DeploymentStatus) -> tuple[Event, ...]:
    """An Event when a status tells of something that the user must see to, and the one before did not."""
    ready, stalled = (next(one for one in status.conditions if one.type == kind) for kind in (READY, STALLED))
    before = next((entry for entry in view.status.conditions if entry.type == STALLED), None)
    news = before is None or (before.status, before.reason) != (stalled.status, stalled.reason)
    if status.state == readiness.WORKER_DIED != view.status.state:
        return (Event("Warning", status.state, ready.message),)
    return (Event("Warning", stalled.reason, stalled.message),) if stalled.status == "True" and news else ()


def waiting(view: DeploymentView, status: DeploymentStatus, error: TerminalError) -> None:
    """There is no model to serve (yet)."""
    progressing = error.reason in _WAITING
    _conclude(view, status, reason=error.reason, message=str(error), progressing=progressing, stalled=not progressing)


def blocked(
    view: DeploymentView, status: DeploymentStatus, error: TerminalError, look_again: float, patch: tuple[Obj, ...]
) -> Plan:
    """Something that has to be created cannot be: only the user can help."""
    _conclude(view, status, reason=error.reason, message=str(error), stalled=True)
    return view.plan(status, patch=patch, events=complaints(view, status), requeue_after=look_again)


def _conclude(
    view: DeploymentView,
    status: DeploymentStatus,
    *,
    reason: str,
    message: str,
    progressing: bool = False,
    stalled: bool = False,
) -> None:
    snapshot, stable = view.snapshot, status.stable
    status.state = reason
    ready = not progressing and not stalled
    message += _limping(view, status)
    view.summarize(status, ready=ready, progressing=progressing, stalled=stalled, reason=reason, message=message)
    everything = status.candidate if status.candidate is not None and status.candidate.weight == 100 else stable
    serving = everything.ready_replicas if everything is not None else 0
    unrouted = stable is not None and not status.router.traffic  # before the first time, it goes without
    routed = status.router.ready_replicas > 0 or unrouted
    missing = "no router pod is ready" if serving else "no pod is ready to answer"
    set_condition(
        status.conditions,
        AVAILABLE,
        serving > 0 and routed,
        "Serving" if serving and routed else "NothingServes",
        f"{serving} pods answer" if serving and routed else missing,
        snapshot.generation,
        view.now,
    )
    status.ready_replicas = stable.ready_replicas if stable else 0
    status.replicas = existing(snapshot, stable.revision) if stable else 0
    if stable is not None:
        status.endpoint = torchserve.endpoint(snapshot.name, snapshot.namespace)
        selector = workload.selector(snapshot, stable.revision)
        status.selector = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
