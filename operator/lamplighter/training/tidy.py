"""What is removed, and when: Jobs of runs that ended, revisions that nobody remembers. Volumes stay."""

from dataclasses import replace

from lamplighter.api.common import seconds
from lamplighter.api.training import RunState
from lamplighter.core.naming import run_number
from lamplighter.core.objects import Obj, Ref, moment, ref
from lamplighter.core.plan import Plan
from lamplighter.training.verdict import TrainingView

_EVIDENCE = ("Job", "Service", "ConfigMap")


def tidy(view: TrainingView, plan: Plan) -> Plan:
    """Add the deletes that are due, and come back for the next one.

    Only runs whose end stands in the status that was read are touched.
    """
    due: list[Ref] = []
    wait = [] if plan.requeue_after is None else [plan.requeue_after]
    for kind in _EVIDENCE:
        for obj in view.snapshot.all_owned(kind):
            left = _seconds_left(view, obj)
            if left is None or "deletionTimestamp" in obj["metadata"]:
                continue
            if left <= 0:
                due.append(ref(obj))
            else:
                wait.append(left)
    due += [ref(obj) for obj in view.snapshot.all_owned("ControllerRevision") if _forgotten(view, obj)]
    return replace(plan, delete=(*plan.delete, *due), requeue_after=min(wait, default=None))


def _seconds_left(view: TrainingView, obj: Obj) -> float | None:
    """Until an object may go; None while its run is under way. What a stopped run left goes at once."""
    number, run = run_number(obj), view.status.run
    if number is None or run is None or number > run.number or (number == run.number and not run.state.final):
        return None
    record = next((entry for entry in view.status.history if entry.run == number), None)
    if record is None or record.completion_time is None or record.state is RunState.SUPERSEDED:
        return 0.0
    age = (view.now - moment(record.completion_time)).total_seconds()
    return seconds(view.spec.ttl_after_finished) - max(age, 0.0)


def _forgotten(view: TrainingView, revision: Obj) -> bool:
    number, run = run_number(revision), view.status.run
    remembered = {entry.run for entry in view.status.history}
    return number is not None and run is not None and number < run.number and number not in remembered
