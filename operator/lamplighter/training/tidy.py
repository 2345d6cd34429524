"""Stops and removes what is no longer needed: past attempts, ended runs, revisions that the history has dropped.

Volumes stay. Only what the status, as it was read, already counts as past is touched.
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
from lamplighter.training.stages import order
from lamplighter.training.view import TrainingView

_EVIDENCE = ("Job", "Service", "ConfigMap")
_OVER = ("Complete", "SuccessCriteriaMet", "Failed", "FailureTarget")
_DELETED = "deletionTimestamp"
_ENDS_WITHIN = 60.0
"""Seconds from a container's failure to its pod's: sidecars may take their grace period, other containers stay."""
_FORCE_AFTER = 10.0
"""Seconds after a pod's grace period until it is force-deleted from a Node that is not responding."""


def tidy(view: TrainingView, plan: Plan) -> Plan:
    """Add the stops and deletions that are due, and come back for the next one."""
    snapshot = view.snapshot
    existing = [obj for kind in _EVIDENCE for obj in snapshot.all_owned(kind) if not obj["metadata"].get(_DELETED)]
    left = [(ref(obj), _seconds_left(view, obj)) for obj in existing]
    left += [
        (_lost(pod), after) for pod in snapshot.all_owned("Pod") if (after := _remove_after(view, pod)) is not None
    ]
    # Whoever suspended a Job may start it again, so a suspended one that is left behind is deleted.
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
    """Seconds until an object is deleted; None while its run is under way. What a superseded run left goes at once."""
    number, run = run_number(obj), view.status.run
    if number is None or run is None or number > run.number or (number == run.number and not run.state.final):
        return None
    record = next((entry for entry in view.status.history if entry.run == number), None)
    if record is None or record.completion_time is None or record.state is RunState.SUPERSEDED:
        return 0.0
    age = (view.now - moment(record.completion_time)).total_seconds()
    return seconds(view.spec.ttl_after_finished) - max(age, 0.0)


def _left_behind(view: TrainingView, job: Obj) -> bool:
    """True when the status has moved past this Job while the Job has not ended."""
    number, run = run_number(job), view.status.run
    if number is None or run is None or any(condition(job, kind) for kind in _OVER):
        return False
    if number != run.number or run.state.final:
        return number <= run.number
    attempt = labels(job).get(ATTEMPT, "")
    return labels(job).get(STAGE) == run.stage and attempt.isdecimal() and int(attempt) < run.attempt


def _stop_after(view: TrainingView, job: Obj) -> float | None:
    """Seconds until the Job is stopped; None when it ends by itself, which keeps the failed pod and its log."""
    if job["spec"].get("activeDeadlineSeconds"):
        return None
    its_pods = [pod for pod in pods_of(view, job) if lost_for_good(view, pod) is None]
    if "backoffLimitPerIndex" not in job["spec"] and any(map(pods.failed, its_pods)):
        return None
    working = [pods.without_sidecars(pod) for pod in its_pods if not pods.over(pod)]
    ends = [moment(ended) for pod in working if pods.failure(pod) and (ended := pods.ended_at(pod)) != pods.NEVER]
    return max([0.0, *(_ENDS_WITHIN - abs((view.now - end).total_seconds()) for end in ends)])


def _stop(job: Obj) -> Obj:
    """Ends the Job for good, so that no queue restarts it, and keeps the pods that failed."""
    return partial(job, spec={"activeDeadlineSeconds": 1})


def _lost(pod: Obj) -> Ref:
    """A pod on a lost Node: deleted normally at first, and by force if it is still there."""
    return replace(ref(pod), force=pod["metadata"].get(_DELETED) is not None)


def _remove_after(view: TrainingView, pod: Obj) -> float | None:
    """Seconds until a pod is deleted; None unless its Node is lost and the pod must go."""
    if pods.over(pod) or lost_for_good(view, pod) is None:
        return None
    run = view.status.run
    deleted = pod["metadata"].get(_DELETED)
    if deleted is not None:
        due = moment(deleted) + timedelta(seconds=_FORCE_AFTER)
        return max((due - view.now).total_seconds(), 0.0)
    # The Job of an elastic gang replaces a lost worker once it is deleted, which Kubernetes does only after minutes.
    under_way = run is not None and not run.state.final and run_number(pod) == run.number
    frozen = freeze.frozen_spec(view.snapshot, run.number) if run is not None and under_way else None
    return 0.0 if run is not None and frozen is not None and order.named(run.stage).elastic(frozen) else None


def _forgotten(view: TrainingView, revision: Obj) -> bool:
    number, run = run_number(revision), view.status.run
    remembered = {entry.run for entry in view.status.history}
    return number is not None and run is not None and number < run.number and number not in remembered
