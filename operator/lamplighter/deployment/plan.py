"""The plan of a ModelDeployment: keep what serves, bring up what is wanted, remove what nobody needs. Pure."""

from datetime import datetime

from lamplighter.api.deployment import DeploymentStatus, ModelDeployment
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Obj, Ref, timestamp
from lamplighter.core.plan import Event, Plan, Snapshot, soonest
from lamplighter.deployment import children, model, status, strategy
from lamplighter.deployment.rollout import actions, advance
from lamplighter.deployment.rollout.advance import Goal
from lamplighter.deployment.rollout.events import transitions
from lamplighter.deployment.serving import readiness, revision
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.tidy import tidy
from lamplighter.deployment.traffic import split
from lamplighter.deployment.traffic.split import Routers
from lamplighter.deployment.view import DeploymentView, Options


def reads(snapshot: Snapshot, now: datetime) -> list[Ref]:
    """What a plan needs beyond the watched children: the training that is followed, and what pods say."""
    return [*model.references(snapshot.obj), *split.questions(snapshot), *readiness.questions(snapshot, now)]


def plan(snapshot: Snapshot, now: datetime, options: Options) -> Plan:
    """What to do about a deployment now."""
    if "deletionTimestamp" in snapshot.obj["metadata"]:
        return Plan()
    view = _view(snapshot, now, options)
    return tidy(view, _step(view))


def blocked(snapshot: Snapshot, now: datetime, error: TerminalError, look_again: float) -> Plan:
    """What to write when the API server refused what was planned."""
    view = _view(snapshot, now, Options())
    draft, patch = view.draft(), list[Obj]()
    if advance.fall(view, draft):
        _record(view, draft, split.look(view))
        patch = children.configured(view, draft)
    return status.blocked(view, draft, error, look_again, tuple(patch))


def _step(view: DeploymentView) -> Plan:
    draft, routers = view.draft(), split.look(view)
    try:
        resolved = model.resolve(view.snapshot, view.spec)
    except TerminalError as error:
        return _rest(view, draft, routers, error)
    in_use = [entry.revision for entry in (draft.stable, draft.candidate) if entry]
    wanted = revision.current(view.snapshot, view.spec, resolved, in_use)
    target = advance.goal(view, draft, wanted, resolved)
    events = actions.grant(view, draft, target.course, wanted.name)
    target = advance.goal(view, draft, wanted, resolved)
    events += advance.advance(view, draft, target, routers)
    _record(view, draft, routers)
    status.describe(view, draft, target, routers)
    return _plan(view, draft, routers, target, wanted, events)


def _rest(view: DeploymentView, draft: DeploymentStatus, routers: Routers, error: TerminalError) -> Plan:
    """There is no model to roll out: what serves goes on serving."""
    advance.rest(view, draft, routers)
    _record(view, draft, routers)
    status.waiting(view, draft, error)
    return _plan(view, draft, routers, None, None, ())


def _record(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> None:
    """Write down what the router should do, and what it does."""
    if draft.stable is None and draft.candidate is None and not draft.retiring:
        return
    told, config = draft.router, split.version(view, draft)
    if told.config != config:
        told.config, told.changed_at = config, timestamp(view.now)
    told.replicas, told.ready_replicas = routers.wanted, routers.ready
    told.verified = routers.verified and config == routers.config
    told.unverified_since = None if told.verified else told.unverified_since or timestamp(view.now)
    if told.verified:
        told.traffic = split.shares(split.traffic(view, draft))


def _plan(
    view: DeploymentView,
    draft: DeploymentStatus,
    routers: Routers,
    target: Goal | None,
    newest: Revision | None,
    events: tuple[Event, ...],
) -> Plan:
    work = children.needed(view, draft, target, routers, newest)
    told = transitions(view.status, draft, alone=strategy.of(view.spec.strategy).alone)
    return view.plan(
        draft,
        create=(tuple(work.revisions), tuple(work.create)),
        patch=tuple(work.patch),
        events=(*events, *told, *status.complaints(view, draft)),
        requeue_after=soonest(*advance.waits(view, draft, target, routers), readiness.wait(view.snapshot, view.now)),
    )


def _view(snapshot: Snapshot, now: datetime, options: Options) -> DeploymentView:
    parsed = ModelDeployment.model_validate(snapshot.obj)
    return DeploymentView(snapshot, parsed.spec, parsed.status, now, options)
