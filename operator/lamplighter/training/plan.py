"""The plan of a ModelTraining, on one page: what happens when. Pure."""

from dataclasses import replace
from datetime import datetime

from lamplighter.api.training import ModelTraining, OnChange, Run, RunState
from lamplighter.core.errors import TerminalError
from lamplighter.core.naming import RETRAIN
from lamplighter.core.objects import Ref, annotations
from lamplighter.core.plan import Plan, Snapshot
from lamplighter.training import freeze, status
from lamplighter.training.advance import advance, kept_from_starting, supersede
from lamplighter.training.failures.diagnosis import unknown_nodes, with_nodes_that_were_read
from lamplighter.training.failures.pod_events import POD_EVENTS
from lamplighter.training.observe import unexplained
from lamplighter.training.start import begun, last_run, start, unrecorded_jobs
from lamplighter.training.tidy import tidy
from lamplighter.training.view import TrainingOptions, TrainingView

DEFAULTS = TrainingOptions()
SOURCE_POLL = 10.0
"""Seconds between reads of a source that was missing or wrong: users' ConfigMaps are not watched."""


def view_of(snapshot: Snapshot, now: datetime, options: TrainingOptions = DEFAULTS) -> TrainingView:
    """The snapshot, parsed: once in a reconcile."""
    parsed = ModelTraining.model_validate(snapshot.obj)
    return TrainingView(snapshot, parsed.spec, parsed.status, now, options)


def reads(view: TrainingView) -> list[Ref]:
    """What a plan needs beyond the watched children: a source that is not copied yet, a Job that seems to be gone."""
    snapshot = view.snapshot
    run, source = view.status.run, view.spec.source
    under_way = run is not None and not run.state.final
    jobs = [run.job] if run and under_way else unrecorded_jobs(snapshot, last_run(view))
    missing = [Ref("Job", snapshot.namespace, name) for name in jobs if snapshot.owned("Job", name) is None]
    starting = not under_way and _wants_run(view)
    unknown = [Ref("Node", "", name) for name in (unknown_nodes(view) if under_way else ())]
    job = snapshot.owned("Job", run.job) if run and under_way else None
    asks = job is not None and run is not None and unexplained(view, run, job)
    return [
        *missing,
        *unknown,
        *([Ref(POD_EVENTS, snapshot.namespace, job["metadata"]["name"])] if asks and job else []),
        *([Ref("ConfigMap", snapshot.namespace, source.config_map)] if source and starting else []),
    ]


def plan(view: TrainingView) -> Plan:
    """What to do about a training now."""
    if view.deleted:
        return Plan()
    view = replace(view, snapshot=with_nodes_that_were_read(view.snapshot))
    run = view.status.run
    try:
        if run is not None and not run.state.final:
            if _gives_way(view, run):
                return supersede(view, run)
            return tidy(view, advance(view, run))
        if run is None or _wants_run(view) or begun(view):
            return tidy(view, start(view))
    except TerminalError as error:
        return tidy(view, status.blocked(view, error, SOURCE_POLL))
    draft = view.draft()
    status.conclude(view, draft, run)
    return tidy(view, view.plan(draft))


def blocked(view: TrainingView, error: TerminalError, look_again: float) -> Plan:
    """What to write when the API server refused what was planned."""
    view = replace(view, snapshot=with_nodes_that_were_read(view.snapshot))
    return tidy(view, status.blocked(view, error, look_again))


def _gives_way(view: TrainingView, run: Run) -> bool:
    """True when the run makes room for the next one: the user asks for it, or the run cannot start anyway."""
    if view.spec.on_change is OnChange.RESTART and _changed(view):
        return True
    return _wants_run(view) and kept_from_starting(view, run)  # the cheap question first: the other reads every pod


def _wants_run(view: TrainingView) -> bool:
    """True for the first run, for a changed spec (also after it stopped a run), and for a new retrain annotation."""
    run = view.status.run
    if run is None or run.state is RunState.SUPERSEDED:
        return True
    if view.spec.on_change is not OnChange.IGNORE and _changed(view):
        return True
    request = annotations(view.snapshot.obj).get(RETRAIN)
    return request is not None and request[:256] != view.status.last_handled.retrain


def _changed(view: TrainingView) -> bool:
    """True when the spec differs from the one that the current run froze. A lost revision counts as unchanged."""
    run = view.status.run
    frozen = freeze.frozen_spec(view.snapshot, run.number) if run else None
    return frozen is not None and frozen != freeze.essence(view.spec)
