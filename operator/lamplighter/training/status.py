"""Writing down how a run stands: state, conditions, history, and the events of the transitions."""

from lamplighter.api.failures import Failure
from lamplighter.api.training import Run, RunRecord, RunState, TrainingStatus
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import timestamp
from lamplighter.core.plan import Event, Plan
from lamplighter.training.stages import order
from lamplighter.training.view import TrainingView

_STALLING = frozenset({"ImagePullFailed", "ContainerConfigError", "PodsRefused"})
"""Obstacles that do not go away by waiting."""


def under_way(view: TrainingView, status: TrainingStatus, run: Run, message: str, *, word: str | None = None) -> None:
    """Put a run that is not over into the status. Its ``failure``, if any, is the obstacle it waits for.

    ``word`` says more than the run's state, where something can: Queued, Restarting, Resuming.
    """
    obstacle = run.failure.reason if run.failure else None
    status.run = run
    status.state = obstacle or f"{order.named(run.stage).state_word}{word or run.state.value}"
    view.summarize(
        status,
        ready=False,
        progressing=(run.state is not RunState.SUSPENDED or word is not None) and obstacle not in _STALLING,
        stalled=obstacle in _STALLING,
        reason=obstacle or word or run.state.value,
        message=f"run {run.number}, stage {run.stage}, attempt {run.attempt}: {message}",
    )


def ended(view: TrainingView, run: Run, state: RunState, *, failure: Failure | None = None) -> Plan:
    """End a run for good and remember it. Only one that went through all its stages publishes its model."""
    status = view.draft()
    artifact = run.artifact if state is RunState.SUCCEEDED else None
    status.run = run.model_copy(
        update={
            "state": state,
            "artifact": artifact,
            "failure": failure,
            "completion_time": timestamp(view.now),
            "not_before": None,
        }
    )
    record = RunRecord(
        run=run.number,
        state=state,
        artifact=artifact,
        # A hundred records with their logs would not fit into an object.
        failure=failure and failure.model_copy(update={"log": []}),
        start_time=run.start_time,
        completion_time=status.run.completion_time,
        restarts=run.restarts,
        executions=run.executions,
        metrics=run.progress.metrics if run.progress else {},
    )
    status.history = [*(entry for entry in status.history if entry.run != run.number), record]
    status.history = status.history[-view.spec.history_limit :]
    if artifact is not None:
        status.latest = record
    conclude(view, status, status.run)
    fine = state in (RunState.SUCCEEDED, RunState.SUPERSEDED)
    event = Event("Normal" if fine else "Warning", f"Run{state.value}", _sentence(status.run))
    return view.plan(status, events=(event,))


def conclude(view: TrainingView, status: TrainingStatus, run: Run) -> None:
    """Tell of a run that is over and is not followed by another."""
    succeeded, superseded = run.state is RunState.SUCCEEDED, run.state is RunState.SUPERSEDED
    status.state = run.state.value
    view.summarize(
        status,
        ready=succeeded,
        progressing=superseded,
        stalled=not succeeded and not superseded,
        reason=run.failure.reason if run.failure else run.state.value,
        message=_sentence(run),
    )


def blocked(view: TrainingView, error: TerminalError, look_again: float) -> Plan:
    """No run can be started until the user changes something."""
    status = view.draft()
    status.state = error.reason
    view.summarize(
        status,
        ready=False,
        progressing=False,
        stalled=True,
        reason=error.reason,
        message=str(error),
    )
    return view.plan(status, events=(Event("Warning", error.reason, str(error)),), requeue_after=look_again)


def _sentence(run: Run) -> str:
    if run.failure is not None:
        return f"run {run.number}, stage {run.stage}, attempt {run.attempt}: {run.failure.message}"
    if run.artifact is not None:
        return f"run {run.number} succeeded: {run.artifact.uri}, sha256 {run.artifact.sha256}"
    return f"run {run.number} succeeded; without spec.package there is no archive to deploy"
