"""What follows a failed attempt: the next one, as long as the budget of the cause allows, or the end of the run.

The status records the failure before the next Job is created. If the operator created the Job first and crashed, it
might judge the pods differently after its restart, and end the run or record another cause while the next gang is
already running.
"""

from datetime import timedelta

from lamplighter.api.common import seconds
from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import Run, RunState, TrainingSpec
from lamplighter.core.objects import moment, timestamp
from lamplighter.core.plan import Event, Plan
from lamplighter.training.failures import budget
from lamplighter.training.stages import order
from lamplighter.training.start import stage_children
from lamplighter.training.status import ended, under_way
from lamplighter.training.view import TrainingView

_AVOIDED = 64


def after_failure(view: TrainingView, run: Run, failure: Failure) -> Plan:
    """Restart the gang, or end the run when the budget of the cause is spent."""
    policy = view.spec.failure_policy
    cause = failure.cause or Cause.USER_ERROR
    failure = failure.model_copy(update={"attempt": run.attempt})
    times = run.failures.get(cause.value, 0) + 1
    run = run.model_copy(update={"failures": {**run.failures, cause.value: times}})
    limit = budget.allowed(policy, cause)
    if limit is not None and times > limit:
        return ended(view, run, RunState.FAILED, failure=budget.final(failure, cause, times, limit))
    in_a_row = 1 if _ran_long(view, run) else run.failures_in_a_row + 1
    wait = budget.pause(policy, in_a_row)
    run = following(view, run, wait).model_copy(
        update={
            "restarts": run.restarts + budget.spends(cause),
            "failures_in_a_row": in_a_row,
            "last_failure": failure,
            "avoided_nodes": _avoided(run, failure, cause),
        }
    )
    said = f"attempt {run.attempt - 1} ended with {failure.reason}: {failure.message}".rstrip(".")
    event = Event(
        "Warning" if budget.spends(cause) else "Normal", "Restarting", f"{said}. Attempt {run.attempt} follows"
    )
    return announce(view, run, events=(event,))


def following(view: TrainingView, run: Run, wait: float = 0.0) -> Run:
    """The run with its next attempt, whose Job is created no earlier than ``wait`` seconds from now."""
    attempt = run.attempt + 1
    return run.model_copy(
        update={
            "attempt": attempt,
            "job": order.job_name(view.snapshot.name, run.number, order.named(run.stage), attempt),
            "not_before": timestamp(view.now + timedelta(seconds=wait)),
            "executed_at": None,
            "state": RunState.PENDING,
            "failure": None,
        }
    )


def announce(view: TrainingView, run: Run, *, events: tuple[Event, ...] = ()) -> Plan:
    """Record an attempt that has no Job yet, and come back when its Job is due."""
    status = view.draft()
    if view.spec.suspend:
        run = suspended(view, run)
        under_way(view, status, run, "suspended between two attempts; set spec.suspend to false to continue")
        return view.plan(status, events=events)
    run = resumed(view, run).model_copy(update={"state": RunState.PENDING})
    under_way(view, status, run, f"starts at {run.not_before}; {_why(run)}", word="Restarting")
    return view.plan(status, events=events, requeue_after=_wait(view, run))


def begin(view: TrainingView, run: Run, spec: TrainingSpec) -> Plan:
    """Create the Job of a recorded attempt once it is due, unless the run is suspended."""
    if view.spec.suspend or _wait(view, run) > 0:
        return announce(view, run)
    status = view.draft()
    run = resumed(view, run).model_copy(
        update={"not_before": None, "attempt_start_time": timestamp(view.now), "state": RunState.PENDING}
    )
    under_way(view, status, run, f"its Job was created{'; ' + _why(run) if run.last_failure else ''}")
    return view.plan(status, create=(tuple(stage_children(view, run, spec)),))


def suspended(view: TrainingView, run: Run) -> Run:
    """The run, suspended from now on."""
    since = run.suspended_since or timestamp(view.now)
    return run.model_copy(update={"state": RunState.SUSPENDED, "suspended_since": since, "failure": None})


def resumed(view: TrainingView, run: Run) -> Run:
    """The run, no longer suspended; the time of its suspension is added up."""
    if run.suspended_since is None:
        return run
    held = max((view.now - moment(run.suspended_since)).total_seconds(), 0.0)
    return run.model_copy(update={"suspended_since": None, "suspended_seconds": run.suspended_seconds + round(held)})


def deadline_left(view: TrainingView, run: Run) -> float | None:
    """Seconds until the run exceeds its deadline; None without a deadline, or while it is suspended."""
    if view.spec.active_deadline is None or run.suspended_since is not None:
        return None
    taken = (view.now - moment(run.start_time)).total_seconds() - run.suspended_seconds
    return seconds(view.spec.active_deadline) - taken


def past_deadline(view: TrainingView, run: Run) -> Plan:
    """End a run that has exceeded its deadline."""
    failure = Failure(
        reason="DeadlineExceeded",
        message=f"the run took longer than spec.activeDeadline ({view.spec.active_deadline})",
        cause=Cause.DEADLINE,
        attempt=run.attempt,
    )
    return ended(view, run, RunState.FAILED, failure=budget.final(failure, Cause.DEADLINE, 1, 0))


def _wait(view: TrainingView, run: Run) -> float:
    """Seconds until the attempt may start."""
    return max((moment(run.not_before) - view.now).total_seconds(), 0.0) if run.not_before else 0.0


def _ran_long(view: TrainingView, run: Run) -> bool:
    """True when the attempt ran longer than the longest backoff: its failure starts a new series."""
    if run.executed_at is None:
        return False
    ran = (view.now - moment(run.executed_at)).total_seconds()
    return ran > seconds(view.spec.failure_policy.backoff.max)


def _avoided(run: Run, failure: Failure, cause: Cause) -> list[str]:
    if cause is not Cause.HARDWARE or failure.node is None or failure.node in run.avoided_nodes:
        return run.avoided_nodes
    return [*run.avoided_nodes, failure.node][-_AVOIDED:]


def _why(run: Run) -> str:
    last = run.last_failure
    return "" if last is None else f"attempt {run.attempt - 1} ended with {last.reason}: {last.message}"
