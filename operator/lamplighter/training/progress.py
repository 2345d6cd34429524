"""A run under way: look at its stage, go on to the next one, or end it."""

import contextlib

from pydantic import ValidationError

from lamplighter.api.failures import Failure
from lamplighter.api.training import Artifact, Run, RunState, TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Plan
from lamplighter.training import freeze, output, stages
from lamplighter.training.observe import Observation, Progress, observe
from lamplighter.training.start import stage_children
from lamplighter.training.verdict import TrainingView, ended, under_way

_STATE = {
    Progress.PENDING: RunState.PENDING,
    Progress.RUNNING: RunState.RUNNING,
    Progress.SUSPENDED: RunState.SUSPENDED,
}


def advance(view: TrainingView, run: Run) -> Plan:
    """Follow the Job of the current stage; a recorded Job that is gone is lost and never made again."""
    job = view.snapshot.owned("Job", run.job)
    if job is None:
        return _lost(view, run)
    seen = observe(view.snapshot, job, view.now)
    if seen.progress is Progress.FAILED:
        return _wait_or(ended(view, run, RunState.FAILED, failure=seen.failure), seen)
    if seen.progress is Progress.SUCCEEDED:
        return _stage_done(view, run, seen)
    return _under_way(view, run, job, seen)


def kept_from_starting(view: TrainingView, run: Run) -> bool:
    """True when not all pods of the first stage run and something is in their way now, whatever was written down."""
    job = view.snapshot.owned("Job", run.job)
    if job is None or run.stage != stages.TRAIN:
        return False
    seen = observe(view.snapshot, job, view.now)
    return seen.progress is Progress.PENDING and seen.failure is not None


def supersede(view: TrainingView, run: Run) -> Plan:
    """End a run to make room for the next one, which the next reconcile starts; it removes this one's Jobs, too."""
    failure = Failure(reason="Superseded", message="stopped to make room for the next run")
    return ended(view, run, RunState.SUPERSEDED, failure=failure)


def _lost(view: TrainingView, run: Run) -> Plan:
    failure = Failure(
        reason="Lost",
        message=f"Job {run.job} was deleted while the run depended on it, and a run is never repeated by itself. "
        "Ask for a new one: kubectl annotate modeltraining "
        f"{view.snapshot.name} --overwrite lamplighter.dev/retrain=$(date +%s)",
    )
    return ended(view, run, RunState.LOST, failure=failure)


def _stage_done(view: TrainingView, run: Run, seen: Observation) -> Plan:
    spec = freeze.frozen_spec(view.snapshot, run.number) or freeze.essence(view.spec)
    if run.stage == stages.PACKAGE:
        return _packaged(view, run, spec, seen)
    following = stages.after(spec, run.stage)
    if following is None:
        return ended(view, run, RunState.SUCCEEDED)
    status = view.draft()
    job = stages.job_name(view.snapshot.name, run.number, following, 1)
    run = run.model_copy(update={"stage": following, "attempt": 1, "job": job, "state": RunState.PENDING})
    under_way(view, status, run, "its Job was created")
    return view.plan(status, create=(tuple(stage_children(view.snapshot, run, spec, suspend=view.spec.suspend)),))


def _packaged(view: TrainingView, run: Run, spec: TrainingSpec, seen: Observation) -> Plan:
    said = seen.report.data if seen.report else {}
    uri = output.uri(run.claim_name, run.path)
    with contextlib.suppress(ValidationError):
        artifact = Artifact.model_validate({**said, "uri": uri})
        return ended(view, run, RunState.SUCCEEDED, artifact=artifact)
    failure = Failure(
        reason="NoDigest",
        message=f"Job {run.job} succeeded but told no sha256 of the archive. Is lamplighter-package in {spec.image}?",
    )
    return _wait_or(ended(view, run, RunState.FAILED, failure=failure), seen)


def _under_way(view: TrainingView, run: Run, job: Obj, seen: Observation) -> Plan:
    status = view.draft()
    under_way(
        view, status, run.model_copy(update={"state": _STATE[seen.progress], "failure": seen.failure}), seen.message
    )
    lost = freeze.frozen_spec(view.snapshot, run.number) is None
    create = (freeze.revision(view.snapshot.obj, run.number),) if lost else ()
    turn = bool(job["spec"].get("suspend")) is not view.spec.suspend
    return view.plan(status, create=(create,), patch=(_suspend(job, view.spec.suspend),) if turn else ())


def _suspend(job: Obj, suspend: bool) -> Obj:
    meta = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "spec": {"suspend": suspend},
    }


def _wait_or(otherwise: Plan, seen: Observation) -> Plan:
    """Look again while the evidence may still arrive; otherwise go by what there is."""
    return otherwise if seen.retry_after is None else Plan(requeue_after=seen.retry_after)
