"""Advances a run under way: observes its stage, then starts the next one, restarts the gang, or ends the run."""

from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import Run, RunState, TrainingSpec
from lamplighter.core.objects import Obj, partial, timestamp
from lamplighter.core.plan import Plan
from lamplighter.training import attempts, freeze, reports
from lamplighter.training.leftover_pods import blocking_resume, pods_of
from lamplighter.training.observe import Observation, Phase, observe
from lamplighter.training.stages import order
from lamplighter.training.start import stage_children
from lamplighter.training.status import ended, under_way
from lamplighter.training.view import TrainingView

_UNKNOWN = Failure(reason="JobFailed", message="the Job failed", cause=Cause.INFRASTRUCTURE)
_STATE = {
    Phase.PENDING: RunState.PENDING,
    Phase.RUNNING: RunState.RUNNING,
    Phase.SUSPENDED: RunState.SUSPENDED,
}


def advance(view: TrainingView, run: Run) -> Plan:
    """Follow the Job of the current attempt. A recorded Job that is gone means that the run is lost."""
    spec = freeze.in_force(view, run.number)
    left = attempts.deadline_left(view, run)
    job = view.snapshot.owned("Job", run.job)
    seen = observe(view, run, spec, job) if job is not None else None
    if job is not None and seen is not None and seen.phase is Phase.SUCCEEDED:
        return _stage_done(view, _with_last_report(view, run, job, seen), spec, seen)
    if left is not None and left <= 0:
        return attempts.past_deadline(view, run)
    if job is None or seen is None:
        waits = run.not_before is not None
        return attempts.begin(view, run, spec).again(left) if waits else _lost(view, run)
    if seen.phase is Phase.FAILED:
        run = _with_last_report(view, run, job, seen)
        return _wait_or(attempts.after_failure(view, run, seen.failure or _UNKNOWN), seen)
    return _under_way(view, run, spec, job, seen).again(left)


def kept_from_starting(view: TrainingView, run: Run) -> bool:
    """True when an obstacle keeps pods of the first stage from running now, whatever the status says."""
    job = view.snapshot.owned("Job", run.job)
    if job is None or run.attempt > 1:
        return False
    spec = freeze.in_force(view, run.number)
    if run.stage != order.first(spec).name:
        return False
    seen = observe(view, run, spec, job)
    return seen.phase is Phase.PENDING and seen.failure is not None


def supersede(view: TrainingView, run: Run) -> Plan:
    """End a run to make room for the next one. The next reconcile starts that one and removes the Jobs of this one."""
    job = view.snapshot.owned("Job", run.job)
    run = run if job is None else _executed(run, job)
    failure = Failure(reason="Superseded", message="stopped to make room for the next run")
    return ended(view, run, RunState.SUPERSEDED, failure=failure)


def _lost(view: TrainingView, run: Run) -> Plan:
    failure = Failure(
        reason="Lost",
        message=f"Job {run.job} was deleted while the run depended on it, and a run is never repeated automatically. "
        "To start a new one: kubectl annotate modeltraining "
        f"{view.snapshot.name} --overwrite lamplighter.dev/retrain=$(date +%s)",
    )
    return ended(view, run, RunState.LOST, failure=failure)


def _stage_done(view: TrainingView, run: Run, spec: TrainingSpec, seen: Observation) -> Plan:
    stage = order.named(run.stage)
    outcome = stage.conclude(run, spec, seen.told)
    if isinstance(outcome, Failure):
        return _wait_or(ended(view, run, RunState.FAILED, failure=outcome), seen)
    run = run.model_copy(update={"artifact": outcome or run.artifact})
    following = order.after(spec, stage)
    if following is None:
        return ended(view, run, RunState.SUCCEEDED)
    status = view.draft()
    run = run.model_copy(
        update={
            "stage": following.name,
            "attempt": 1,
            "attempt_start_time": timestamp(view.now),
            "executed_at": None,
            "failures": {},  # each stage has its own budgets
            "failures_in_a_row": 0,
            "job": order.job_name(view.snapshot.name, run.number, following, 1),
            "state": RunState.PENDING,
            **({"progress": None} if following.reports_progress else {}),  # it starts at step 0 of its own
        }
    )
    under_way(view, status, run, "its Job was created")
    return view.plan(status, create=(tuple(stage_children(view, run, spec)),))


def _under_way(view: TrainingView, run: Run, spec: TrainingSpec, job: Obj, seen: Observation) -> Plan:
    held = attempts.suspended if seen.phase is Phase.SUSPENDED else attempts.resumed
    unrecorded = run.not_before is not None  # the operator crashed while it created the Job: the Service may be missing
    # While pods start there is usually nothing else to write, so an execution is counted once they run.
    counted = run if seen.phase is Phase.PENDING else _executed(run, job)
    now = held(view, counted).model_copy(
        update={
            "state": _STATE[seen.phase],
            "failure": seen.failure,
            "not_before": None,
            "attempt_start_time": timestamp(view.now) if unrecorded else run.attempt_start_time,
        }
    )
    if view.spec.suspend and spec.queue_name is not None:
        # The queue owns the Job's suspend field, so this attempt ends; the next one waits for the user.
        return attempts.announce(view, attempts.following(view, now))
    status, wait = view.draft(), None
    under_way(view, status, now, seen.message, word=seen.word)
    if order.named(run.stage).reports_progress and (progress := reports.heard(view, run)) != run.progress:
        left = reports.wait(view, run)
        if left <= 0 or status != view.status:
            under_way(view, status, now.model_copy(update={"progress": progress}), seen.message, word=seen.word)
        else:
            wait = left
    lost = freeze.kept_revision(view.snapshot, run.number) is None
    create = (freeze.revision(view.snapshot.obj, run.number),) if lost else ()
    if unrecorded:
        create = (*create, *stage_children(view, run, spec))
    plan = view.plan(status, create=(create,) if create else (), patch=_job_patches(view, run, spec, job))
    return plan.again(wait, seen.retry_after)


def _executed(run: Run, job: Obj) -> Run:
    """The run, with each start of the Job's pods counted."""
    begun = job.get("status", {}).get("startTime")
    if begun is None or begun == run.executed_at:
        return run
    return run.model_copy(update={"executions": run.executions + 1, "executed_at": begun})


def _with_last_report(view: TrainingView, run: Run, job: Obj, seen: Observation) -> Run:
    """The run with the last progress that its pods reported."""
    run = _executed(run, job)
    if run.executed_at is None and (its_pods := pods_of(view, job)):
        # Pods can end before the Job controller records that it started them.
        begun = min(pod["metadata"].get("creationTimestamp") or timestamp(view.now) for pod in its_pods)
        run = run.model_copy(update={"executions": run.executions + 1, "executed_at": begun})
    if not order.named(run.stage).reports_progress:
        return run
    progress = reports.heard(view, run)
    run = run.model_copy(update={"progress": progress})
    return run.model_copy(update={"progress": reports.final(run, seen.told, timestamp(view.now))})


def _job_patches(view: TrainingView, run: Run, spec: TrainingSpec, job: Obj) -> tuple[Obj, ...]:
    """Patches that bring the Job's suspension, and the width of an elastic gang, in line with the spec."""
    change: Obj = {}
    suspended = bool(job["spec"].get("suspend"))
    # New pods cannot join a gang whose previous members are still saving their work or about to be removed.
    free = not suspended or not blocking_resume(view, pods_of(view, job))
    if spec.queue_name is None and suspended is not view.spec.suspend and free:
        change["suspend"] = view.spec.suspend
    stage = order.named(run.stage)
    if stage.elastic(spec) and job["spec"].get("parallelism") != (width := stage.width(spec)):
        change |= {"parallelism": width, "completions": width}
    if not change:
        return ()
    return (partial(job, spec=change),)


def _wait_or(otherwise: Plan, seen: Observation) -> Plan:
    """Wait while more evidence may still arrive; otherwise take this plan."""
    return otherwise if seen.retry_after is None else Plan(requeue_after=seen.retry_after)
