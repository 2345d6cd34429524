"""The plan of a ModelDeployment: keep what serves, bring up what is wanted, remove what is not needed. Pure."""

from dataclasses import dataclass
from datetime import datetime

from lamplighter.api.deployment import DeploymentStatus, ModelDeployment
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Obj, Ref, timestamp
from lamplighter.core.plan import Event, Plan, Snapshot, soonest
from lamplighter.deployment import children, model, status, tidy
from lamplighter.deployment.rollout import actions, advance, deadlines
from lamplighter.deployment.rollout.advance import Target
from lamplighter.deployment.rollout.events import transitions
from lamplighter.deployment.serving import readiness, revision
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.situation import Situation
from lamplighter.deployment.strategy import rollout_strategy
from lamplighter.deployment.traffic.provider import Changes, TrafficProvider
from lamplighter.deployment.traffic.split import Split, split
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DEFAULTS, DeploymentOptions, DeploymentView


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a rollout. ``error``: why there is no model to roll out, and so no ``target``."""

    target: Target | None = None
    newest: Revision | None = None
    events: tuple[Event, ...] = ()
    error: TerminalError | None = None


def view_of(snapshot: Snapshot, now: datetime, options: DeploymentOptions = DEFAULTS) -> DeploymentView:
    """The snapshot, parsed: once in a reconcile."""
    parsed = ModelDeployment.model_validate(snapshot.obj)
    return DeploymentView(snapshot, parsed.spec, parsed.status, now, options)


def reads(view: DeploymentView, provider: TrafficProvider) -> list[Ref]:
    """What a plan needs beyond the watched children: the training that is followed, and what pods say."""
    references = model.references(view.snapshot.obj)
    return [*references, *provider.questions(view), *readiness.questions(view.snapshot, view.now)]


def plan(view: DeploymentView, provider: TrafficProvider) -> Plan:
    """What to do about a deployment now."""
    if view.deleted:
        return Plan()
    draft, routers = view.draft(), _look(view, provider)
    decision = _decide(view, draft, routers)
    wanted = _record(view, draft, routers, provider)
    if decision.target is not None:
        status.describe(Situation(view, draft, decision.target, wanted, routers, provider))
    elif decision.error is not None:
        status.waiting(view, draft, decision.error)
    confirmed = draft.router.verified and routers.lingering_verified
    its_own = children.needed(view, draft, decision.target, decision.newest, confirmed=confirmed)
    traffic = provider.objects(view, wanted, routers) if _carries(draft) else Changes()
    changed = transitions(view.status, draft, alone=rollout_strategy(view.spec.strategy).alone)
    looks = deadlines.waits(view, draft, decision.target, routers)
    return view.plan(
        draft,
        create=(tuple(its_own.revisions), (*its_own.create, *traffic.create)),
        patch=(*its_own.patch, *traffic.patch),
        events=(*decision.events, *changed, *status.complaints(view, draft)),
        delete=tidy.due(view, draft, wanted, provider),
        requeue_after=soonest(*looks, readiness.wait(view.snapshot, view.now)),
    )


def blocked(view: DeploymentView, error: TerminalError, look_again: float, provider: TrafficProvider) -> Plan:
    """What to write when the API server refused what was planned."""
    draft, patch = view.draft(), list[Obj]()
    if advance.lower(view, draft):
        wanted = _record(view, draft, _look(view, provider), provider)
        patch = provider.configuration(view, wanted).patch
    return status.blocked(view, draft, error, look_again, tuple(patch))


def _look(view: DeploymentView, provider: TrafficProvider) -> Routers:
    """What the routers do, held against the split of the status that was read."""
    return provider.look(view, split(view, view.status, provider.written(view.snapshot)))


def _decide(view: DeploymentView, draft: DeploymentStatus, routers: Routers) -> Decision:
    """Bring the draft one step nearer to what is wanted."""
    try:
        resolved = model.resolve(view.snapshot, view.spec)
    except TerminalError as error:
        advance.rest(view, draft, routers)
        return Decision(error=error)
    in_use = [entry.revision for entry in (draft.stable, draft.candidate) if entry]
    newest = revision.current(view.snapshot, view.spec, resolved, in_use)
    before = advance.target_of(view, draft, newest, resolved)
    asked = actions.take(view, draft, before.strategy, newest.name)
    target = advance.target_of(view, draft, newest, resolved)
    return Decision(target, newest, asked + advance.advance(view, draft, target, routers))


def _record(view: DeploymentView, draft: DeploymentStatus, routers: Routers, provider: TrafficProvider) -> Split:
    """The split that the draft asks for. Records in the draft its version, and what the routers report."""
    wanted = split(view, draft, provider.written(view.snapshot))
    if not _carries(draft):
        return wanted
    told = draft.router
    if told.config != wanted.version:
        told.config, told.changed_at = wanted.version, timestamp(view.now)
    told.replicas, told.ready_replicas = routers.wanted, routers.ready
    told.verified = routers.verified and wanted.version == routers.split.version
    told.unverified_since = None if told.verified else told.unverified_since or timestamp(view.now)
    if told.verified:
        told.traffic = wanted.shares
    if draft.stable is not None:
        draft.endpoint = provider.endpoint(view.snapshot)
    return wanted


def _carries(draft: DeploymentStatus) -> bool:
    """True when there is a revision that requests may be carried to."""
    return draft.stable is not None or draft.candidate is not None or bool(draft.retiring)
