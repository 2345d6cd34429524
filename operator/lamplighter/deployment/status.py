"""Writing down how a deployment stands: state, conditions, and what the scale subresource reads. Pure.

What the conditions say is in sentences.py.
"""

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.conditions import READY, STALLED, set_condition
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Event, Plan
from lamplighter.deployment.sentences import Outcome, Sentence, sentence
from lamplighter.deployment.serving import readiness, workload
from lamplighter.deployment.serving.health import asked_for, existing, health
from lamplighter.deployment.situation import Situation
from lamplighter.deployment.view import DeploymentView

AVAILABLE = "Available"
_WAITING = frozenset({"WaitingForModel", "TrainingNotFound"})
"""What usually resolves on its own, for example when a training and its deployment are applied together."""


def describe(situation: Situation) -> None:
    """How the rollout stands."""
    _conclude(situation.view, situation.status, sentence(situation))


def waiting(view: DeploymentView, status: DeploymentStatus, error: TerminalError) -> None:
    """There is no model to serve, or none yet."""
    outcome = Outcome.PROGRESSING if error.reason in _WAITING else Outcome.STALLED
    _conclude(view, status, Sentence(error.reason, outcome, str(error)))


def blocked(
    view: DeploymentView, status: DeploymentStatus, error: TerminalError, look_again: float, patch: tuple[Obj, ...]
) -> Plan:
    """An object that has to be created cannot be: only a person can help."""
    _conclude(view, status, Sentence(error.reason, Outcome.STALLED, str(error)))
    return view.plan(status, patch=patch, events=complaints(view, status), requeue_after=look_again)


def complaints(view: DeploymentView, status: DeploymentStatus) -> tuple[Event, ...]:
    """An Event when a status reports what a person must act on, and the one before did not."""
    ready, stalled = (next(one for one in status.conditions if one.type == kind) for kind in (READY, STALLED))
    before = next((entry for entry in view.status.conditions if entry.type == STALLED), None)
    news = before is None or (before.status, before.reason) != (stalled.status, stalled.reason)
    if status.state == readiness.WORKER_DIED != view.status.state:
        return (Event("Warning", status.state, ready.message),)
    return (Event("Warning", stalled.reason, stalled.message),) if stalled.status == "True" and news else ()


def _conclude(view: DeploymentView, status: DeploymentStatus, said: Sentence) -> None:
    status.state = said.reason
    view.summarize(
        status,
        ready=said.outcome is Outcome.READY,
        progressing=said.outcome is Outcome.PROGRESSING,
        stalled=said.outcome is Outcome.STALLED,
        reason=said.reason,
        message=said.message + _limping(view, status),
    )
    _set_available(view, status)
    snapshot, stable = view.snapshot, status.stable
    status.ready_replicas = stable.ready_replicas if stable else 0
    status.replicas = existing(snapshot, stable.revision) if stable else 0
    if stable is not None:
        selector = workload.selector(snapshot, stable.revision)
        status.selector = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


def _limping(view: DeploymentView, status: DeploymentStatus) -> str:
    """What keeps pods of the stable revision from being ready while another revision is rolled out."""
    if status.stable is None or status.candidate is None:
        return ""
    name = status.stable.revision
    seen = health(view.snapshot, name, asked_for(view.snapshot, name))
    if seen.obstacle is None:
        return ""
    return f"; stable revision {name}: {seen.ready} of {seen.wanted} pods are ready. {seen.obstacle.message}"


def _set_available(view: DeploymentView, status: DeploymentStatus) -> None:
    """Whether requests are answered, by whatever revision."""
    stable = status.stable
    everything = status.candidate if status.candidate is not None and status.candidate.weight == 100 else stable
    serving = everything.ready_replicas if everything is not None else 0
    unrouted = stable is not None and not status.router.traffic  # until routers confirm a split, none is required
    routed = status.router.ready_replicas > 0 or unrouted
    missing = "no router is ready" if serving else "no pod is ready to answer"
    set_condition(
        status.conditions,
        AVAILABLE,
        serving > 0 and routed,
        "Serving" if serving and routed else "NothingServes",
        f"{serving} {'pod answers' if serving == 1 else 'pods answer'}" if serving and routed else missing,
        view.snapshot.generation,
        view.now,
    )
