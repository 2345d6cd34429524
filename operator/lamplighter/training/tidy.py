"""What is stopped and removed, and when: attempts that are over, runs that ended, revisions nobody remembers.

Volumes stay. Only what the status that was read has left behind is touched.
"""

from dataclasses import replace
from datetime import timedelta

from lamplighter.api.common import seconds
from lamplighter.api.training import RunState
from lamplighter.core import pods
from lamplighter.core.naming import ATTEMPT, STAGE, run_number
from lamplighter.core.objects import Obj, Ref, condition, labels, moment, partial, ref
from lamplighter.core.plan import Plan
from lamplighter.training import freeze
from lamplighter.training.failures.diagnosis import lost_for_good
from lamplighter.training.leftover_pods import pods_of
from lamplighter.training.view import TrainingView

_EVIDENCE = ("Job", "Service", "ConfigMap")
_OVER = ("Complete", "SuccessCriteriaMet", "Failed", "FailureTarget")
_DELETED = "deletionTimestamp"
_ENDS_WITHIN = 60.0
"""Seconds from a container's failure to its pod's: sidecars that go then take their grace, others would stay."""
_FORCE_AFTER = 10.0
"""Seconds after the end of a pod's grace period until it is removed by force from a Node that does not answer."""


def tidy(view: TrainingView, plan: Plan) -> Plan:
    """Add the stops and deletes that are due, and come back for the next one."""
    snapshot = view.snapshot
    existing = [obj for kind in _EVIDENCE for obj in snapshot.all_owned(kind) if not obj["metadata"].get(_DELETED)]
    left = [(ref(obj), _seconds_left(view, obj)) for obj in existing]
    left += [
        (_lost(pod), after) for pod in snapshot.all_owned("Pod") if (after := _remove_after(view, pod)) is not None
    ]
    # Who suspended a Job may start it again, so one that is left behind goes.
    behind = [obj for obj in existing if obj["kind"] == "Job" and _left_behind(view, obj)]
    left += [(ref(job), 0.0) for job in behind if job["spec"].get("suspend")]
    left += [(ref(obj), 0.0) for obj in snapshot.all_owned("ControllerRevision") if _forgotten(view, obj)]
    due = dict.fromkeys(target for target, seconds_left in left if seconds_left is not None and seconds_left <= 0)
    waits = [seconds_left for _, seconds_left in left if seconds_left is not None and seconds_left > 0]
    ends = [(job, _stop_after(view, job)) for job in behind if ref(job) not in due]
    stops = [_stop(job) for job, after in ends if after is not None and after <= 0]
    waits += [after for _, after in ends if after is not None and after > 0]
    return replace(plan, patch=(*plan.patch, *stops), delete=(*plan.delete, *due)).again(*waits)


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


def _left_behind(view: TrainingView, job: Obj) -> bool:
    """True when the status is past this Job, and the Job is not over by itself."""
    number, run = run_number(job), view.status.run
    if number is None or run is None or any(condition(job, kind) for kind in _OVER):
        return False
    if number != run.number or run.state.final:
        return number <= run.number
    attempt = labels(job).get(ATTEMPT, "")
    return labels(job).get(STAGE) == run.stage and attempt.isdecimal() and int(attempt) < run.attempt


def _stop_after(view: TrainingView, job: Obj) -> float | None:
    """Seconds until the Job is stopped; None when it ends by itself, which keeps the pod that failed, and its log."""
    if job["spec"].get("activeDeadlineSeconds"):
        return None
    its_pods = [pod for pod in pods_of(view, job) if lost_for_good(view, pod) is None]
    if "backoffLimitPerIndex" not in job["spec"] and any(map(pods.failed, its_pods)):
        return None
    trainers = [pods.without_sidecars(pod) for pod in its_pods if not pods.over(pod)]
    ends = [moment(ended) for pod in trainers if pods.failure(pod) and (ended := pods.ended_at(pod)) != pods.NEVER]
    return max([0.0, *(_ENDS_WITHIN - abs((view.now - end).total_seconds()) for end in ends)])


def _stop(job: Obj) -> Obj:
    """Ends the Job for good, and keeps the pods that failed: neither a queue nor anybody else starts it again."""
    return partial(job, spec={"activeDeadlineSeconds": 1})


def _lost(pod: Obj) -> Ref:
    """A pod on a lost Node: deleted like any other first, and by force when nobody has ended it."""
    return replace(ref(pod), force=pod["metadata"].get(_DELETED) is not None)


def _remove_after(view: TrainingView, pod: Obj) -> float | None:
    """Seconds until a pod is removed; None unless its Node is lost and the pod is to go."""
    if pods.over(pod) or lost_for_good(view, pod) is None:
        return None
    run = view.status.run
    deleted = pod["metadata"].get(_DELETED)
    if deleted is not None:
        due = moment(deleted) + timedelta(seconds=_FORCE_AFTER)
        return max((due - view.now).total_seconds(), 0.0)
    # The Job of an elastic gang replaces a worker when the lost one is removed, which nobody else does for minutes.
    under_way = run is not None and not run.state.final and run_number(pod) == run.number
    frozen = freeze.frozen_spec(view.snapshot, run.number) if run is not None and under_way else None
    return 0.0 if frozen is not None and frozen.elastic is not None else None


def _forgotten(view: TrainingView, revision: Obj) -> bool:
    number, run = run_number(revision), view.status.run
    remembered = {entry.run for entry in view.status.history}
    return number is not None and run is not None and number < run.number and number not in remembered
