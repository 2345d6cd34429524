"""Records how a run stands: state, conditions, history, and the Events of transitions."""

from lamplighter.api.failures import Failure
from lamplighter.api.training import Run, RunRecord, RunState, TrainingStatus
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import timestamp
from lamplighter.core.plan import Event, Plan
from lamplighter.training.stages import order
from lamplighter.training.view import TrainingView

_STALLING = frozenset({"ImagePullFailed", "ContainerConfigError", "PodsRefused"})
"""Obstacles that only the user can remove."""


def under_way(view: TrainingView, status: TrainingStatus, run: Run, message: str, *, word: str | None = None) -> None:
    """Record a run that has not ended. Its ``failure``, if any, is the obstacle that it waits for.

    ``word`` replaces the run's state where it says more: Queued, Restarting, Resuming.
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
    """End a run for good and add it to the history. Its model is published only if all its stages succeeded."""
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
        # An object has no room for a hundred records with their logs.
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
    """Summarize a run that has ended and that no other run follows."""
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
    """No run can start until the user changes something."""
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
