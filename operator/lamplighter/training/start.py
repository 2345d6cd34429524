"""Starts a run: freezes what it depends on, then creates the first stage's Job and what its pods need."""

from lamplighter.api.training import Run, RunState, TrainingSpec
from lamplighter.core.naming import RETRAIN, run_number
from lamplighter.core.objects import Obj, annotations, timestamp
from lamplighter.core.plan import Plan, Snapshot
from lamplighter.training import freeze
from lamplighter.training.observe import SUSPENDED
from lamplighter.training.stages import order, output
from lamplighter.training.stages.base import StageRun
from lamplighter.training.status import under_way
from lamplighter.training.view import TrainingView


def start(view: TrainingView) -> Plan:
    """Start the next run.

    The revision is created first: if the operator crashes before it creates the Job, the run still gets the frozen
    spec.

    Raises:
        TerminalError: the source or the output volume cannot be used.
    """
    snapshot, status = view.snapshot, view.draft()
    number, frozen = _number(view)
    spec = frozen or freeze.essence(view.spec)
    first = order.first(spec)
    held = view.spec.suspend and spec.queue_name is not None
    run = Run(
        number=number,
        stage=first.name,
        job=order.job_name(snapshot.name, number, first, 1),
        claim_name=output.claim_name(snapshot.name, spec),
        path=output.path(snapshot.obj, number),
        start_time=timestamp(view.now),
        attempt_start_time=timestamp(view.now),
        not_before=timestamp(view.now) if held else None,
        suspended_since=timestamp(view.now) if view.spec.suspend else None,
        state=RunState.SUSPENDED if view.spec.suspend else RunState.PENDING,
    )
    keep: list[Obj] = [] if frozen else [freeze.revision(snapshot.obj, number)]
    begins = snapshot.owned("Job", run.job) is None
    if begins and snapshot.owned("ConfigMap", freeze.name(snapshot.name, number)) is None:
        copy = freeze.source_copy(snapshot, spec, number)
        keep += [copy] if copy else []
    claim = output.claim(snapshot, spec)
    in_force = freeze.live(view, spec)
    children = [*([] if held else stage_children(view, run, in_force)), *([claim] if claim else [])]
    status.last_handled.retrain = (annotations(snapshot.obj).get(RETRAIN) or "")[:256] or None
    under_way(view, status, run, SUSPENDED if view.spec.suspend else "its Job was created")
    return view.plan(status, create=(tuple(keep), tuple(children)))


def unrecorded_jobs(snapshot: Snapshot, last_run: int) -> list[str]:
    """The first Jobs of runs that were frozen but not recorded: an interrupted start may have created them."""
    return [_first_job(snapshot, number, spec) for number, spec in _frozen(snapshot, last_run).items()]


def begun(view: TrainingView) -> bool:
    """True when an interrupted start created its Job: that run is under way, whatever the spec says now."""
    jobs = unrecorded_jobs(view.snapshot, last_run(view))
    return any(view.snapshot.owned("Job", job) is not None for job in jobs)


def last_run(view: TrainingView) -> int:
    """The newest run in the status; 0 before the first."""
    return view.status.run.number if view.status.run else 0


def _unrecorded(snapshot: Snapshot, last: int) -> list[int]:
    numbers = map(run_number, snapshot.all_owned("ControllerRevision"))
    return sorted(number for number in numbers if number is not None and number > last)


def _frozen(snapshot: Snapshot, last: int) -> dict[int, TrainingSpec]:
    """The frozen specs of the runs that are not recorded."""
    specs = {number: freeze.frozen_spec(snapshot, number) for number in _unrecorded(snapshot, last)}
    return {number: spec for number, spec in specs.items() if spec is not None}


def _first_job(snapshot: Snapshot, number: int, spec: TrainingSpec) -> str:
    """The Job with which the run of this number starts."""
    return order.job_name(snapshot.name, number, order.first(spec), 1)


def _number(view: TrainingView) -> tuple[int, TrainingSpec | None]:
    """The next run's number, and its spec if it is already frozen.

    An interrupted start continues with the spec that it froze. If it created no Job and the spec has changed since
    then (the API server may have rejected the first), its number is skipped.
    """
    snapshot, last = view.snapshot, last_run(view)
    frozen = _frozen(snapshot, last)
    for number, spec in frozen.items():
        if snapshot.owned("Job", _first_job(snapshot, number, spec)):
            return number, spec
    for number, spec in frozen.items():
        if spec == freeze.essence(view.spec):
            return number, spec
    return max([last, *_unrecorded(snapshot, last)]) + 1, None


def stage_children(view: TrainingView, run: Run, spec: TrainingSpec) -> list[Obj]:
    """The Job of the run's current stage and attempt and its Service, unless they already exist."""
    snapshot, stage = view.snapshot, order.named(run.stage)
    own = StageRun(
        owner=snapshot.obj,
        spec=spec,
        run=run.number,
        stage=stage,
        attempt=run.attempt,
        job=run.job,
        labels=order.labels(snapshot.obj, run.number, stage, run.attempt),
        claim=run.claim_name,
        path=run.path,
        source=freeze.name(snapshot.name, run.number) if spec.source else None,
        stage_containers=order.containers(),
        avoided=tuple(run.avoided_nodes),
        progress_url=view.options.progress_url,
    )
    # A queue takes over suspended Jobs and starts them.
    wanted = [order.job(own, suspend=view.spec.suspend or spec.queue_name is not None), order.service(own)]
    return [obj for obj in wanted if obj is not None and snapshot.owned(obj["kind"], obj["metadata"]["name"]) is None]
