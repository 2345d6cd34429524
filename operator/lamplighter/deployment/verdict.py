"""Writing down how a deployment stands: state, conditions, and what the scale subresource reads."""

from lamplighter.api.deployment import DeploymentSpec, DeploymentStatus
from lamplighter.core.conditions import STALLED, set_condition
from lamplighter.core.errors import TerminalError
from lamplighter.core.plan import Event, Plan
from lamplighter.core.view import View
from lamplighter.deployment import torchserve, workload
from lamplighter.deployment.observe import Health, existing

DeploymentView = View[DeploymentSpec, DeploymentStatus]

AVAILABLE = "Available"
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
        "UserError",
        "WorkerFailed",
    }
)
"""Obstacles that do not go away by waiting."""


def describe(view: DeploymentView, status: DeploymentStatus, revision: str, seen: Health) -> None:
    """The verdict on the wanted revision."""
    message = f"revision {revision}: {seen.ready} of {seen.wanted} pods are ready"
    obstacle = seen.obstacle
    if seen.complete:
        _conclude(view, status, reason="Ready", message=message)
    elif obstacle is None:
        _conclude(view, status, reason="RollingOut", message=message, progressing=True)
    else:
        stalled = obstacle.reason in _STALLING
        _conclude(
            view,
            status,
            reason=obstacle.reason,
            message=f"{message}. {obstacle.message}",
            progressing=not stalled,
            stalled=stalled,
        )


def complaints(view: DeploymentView, status: DeploymentStatus) -> tuple[Event, ...]:
    """An Event when a status tells of something that the user must see to, and the one before did not."""
    stalled = next(entry for entry in status.conditions if entry.type == STALLED)
    before = next((entry for entry in view.status.conditions if entry.type == STALLED), None)
    news = before is None or (before.status, before.reason) != (stalled.status, stalled.reason)
    return (Event("Warning", stalled.reason, stalled.message),) if stalled.status == "True" and news else ()


def waiting(view: DeploymentView, status: DeploymentStatus, error: TerminalError) -> None:
    """There is no model to serve (yet)."""
    progressing = error.reason in _WAITING
    _conclude(view, status, reason=error.reason, message=str(error), progressing=progressing, stalled=not progressing)


def blocked(view: DeploymentView, error: TerminalError, look_again: float) -> Plan:
    """Something that has to be created cannot be: only the user can help."""
    status = view.draft()
    _conclude(view, status, reason=error.reason, message=str(error), stalled=True)
    return view.plan(status, events=complaints(view, status), requeue_after=look_again)


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
    view.summarize(status, ready=ready, progressing=progressing, stalled=stalled, reason=reason, message=message)
    serving = stable.ready_replicas if stable else 0
    set_condition(
        status.conditions,
        AVAILABLE,
        serving > 0,
        "Serving" if serving else "NothingServes",
        f"{serving} pods answer" if serving else "no pod is ready to answer",
        snapshot.generation,
        view.now,
    )
    status.ready_replicas = serving
    status.replicas = existing(snapshot, stable.revision) if stable else 0
    if stable is not None:
        status.endpoint = torchserve.endpoint(snapshot.name, snapshot.namespace)
        selector = workload.selector(snapshot, stable.revision)
        status.selector = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
