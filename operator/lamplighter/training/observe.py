"""Observes a stage: how it is going, as its Job, its pods and their Nodes show."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from lamplighter.api.common import seconds
from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import Run, TrainingSpec
from lamplighter.core import pods
from lamplighter.core.conditions import reason_word
from lamplighter.core.objects import Obj, annotations, condition, labels, moment
from lamplighter.core.plan import soonest
from lamplighter.training import freeze
from lamplighter.training.failures import diagnosis, pod_events
from lamplighter.training.failures.diagnosis import Evidence
from lamplighter.training.leftover_pods import (
    blocking_resume,
    earlier_pods_alive,
    is_leftover,
    pods_of,
    seconds_until_overdue,
)
from lamplighter.training.stages import order
from lamplighter.training.view import TrainingView

EVIDENCE_GRACE = 10.0
"""Seconds to wait for the pod that explains how a Job ended: Jobs and pods arrive on different watch streams."""
_STARTED = ("Running", "Succeeded", "Failed")
"""A failed pod has run, too; whether the stage has failed is decided by its Job."""
_INDEX = "batch.kubernetes.io/job-completion-index"
_WHOLE_GANG = frozenset({Cause.USER_ERROR, Cause.OUT_OF_MEMORY, Cause.HANG, Cause.HARDWARE})
"""Causes that restart a whole elastic gang, whichever worker fails: the failure would repeat."""

SUSPENDED = "suspended; set spec.suspend to false to continue"


class Phase(Enum):
    """How far a stage has come."""

    PENDING = auto()
    RUNNING = auto()
    SUSPENDED = auto()
    SUCCEEDED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Observation:
    """How a stage is going.

    ``failure`` is the cause of FAILED, or the obstacle of PENDING. ``told`` is the data of the termination message
    that the stage's program left. ``retry_after`` asks for another look: evidence may still arrive, or a Node
    may come back. ``word`` replaces the phase in the STATE column where it says more.
    """

    phase: Phase
    message: str
    failure: Failure | None = None
    told: Obj = field(default_factory=dict)
    retry_after: float | None = None
    word: str | None = None


def observe(view: TrainingView, run: Run, spec: TrainingSpec, job: Obj) -> Observation:
    """Judge a stage by its Job, its pods and their Nodes."""
    its_pods = [pod for pod in pods_of(view, job) if not is_leftover(job, pod)]
    present = _present(run, spec, its_pods)
    if done := condition(job, "Complete") or condition(job, "SuccessCriteriaMet"):
        return _succeeded(run, its_pods, done, view.now)
    failed = failure_of(job)
    if failed is None and job["spec"].get("suspend"):
        return _suspended(view, spec, its_pods)
    found = _found(view, run, spec, failed, present)
    if found is not None and not found.echo:
        return Observation(Phase.FAILED, found.failure.message, found.failure, _last_words(run, its_pods, found))
    if failed is not None:
        return _failed(view, run, spec, job, its_pods, failed, found)
    if found is not None and _elastic(run, spec):
        return Observation(Phase.FAILED, found.failure.message, found.failure, _last_words(run, its_pods, found))
    seen = _active(view, run, spec, job, present)
    doubts = [diagnosis.node_doubt(view, pod) for pod in present]
    # An echo, while the Job has not failed: news of its failure, or of the pod that caused it, is on the way.
    echo = None if found is None else 1.0
    return replace(seen, retry_after=soonest(seen.retry_after, echo, *doubts))


def failure_of(job: Obj) -> Obj | None:
    """The condition that says that a Job failed; its pods may still be terminating."""
    return condition(job, "FailureTarget") or condition(job, "Failed")


def unexplained(view: TrainingView, run: Run, job: Obj) -> bool:
    """True when the Job failed and none of its pods explains why."""
    failed = failure_of(job)
    if failed is None:
        return False
    spec = freeze.in_force(view, run.number)  # read only now: most Jobs that are observed have not failed
    its_pods = [pod for pod in pods_of(view, job) if not is_leftover(job, pod)]
    found = _found(view, run, spec, failed, _present(run, spec, its_pods))
    return found is None or found.echo


def _elastic(run: Run, spec: TrainingSpec) -> bool:
    return order.named(run.stage).elastic(spec) is not None


def _present(run: Run, spec: TrainingSpec, its_pods: list[Obj]) -> list[Obj]:
    return _newest(its_pods) if _elastic(run, spec) else its_pods


def _found(view: TrainingView, run: Run, spec: TrainingSpec, failed: Obj | None, present: list[Obj]) -> Evidence | None:
    """The failure that caused the others."""
    whole = failed is not None or not _elastic(run, spec)
    return diagnosis.first(
        [
            evidence
            for pod in present
            if (evidence := diagnosis.examine(view, pod)) is not None
            and (whole or _index(pod) == "0" or evidence.failure.cause in _WHOLE_GANG)
        ]
    )


def _succeeded(run: Run, its_pods: list[Obj], done: Obj, now: datetime) -> Observation:
    worker = order.named(run.stage).container
    for pod in sorted(its_pods, key=_order):
        for container in pods.containers(pod):
            end = pods.terminated(container)
            if container["name"] == worker and end is not None and end.get("message"):
                return Observation(Phase.SUCCEEDED, "succeeded", told=pods.termination_message(end["message"]).data)
    return Observation(Phase.SUCCEEDED, "succeeded", retry_after=_patience(done, now))


def _suspended(view: TrainingView, spec: TrainingSpec, its_pods: list[Obj]) -> Observation:
    if view.spec.suspend:
        return Observation(Phase.SUSPENDED, SUSPENDED)
    if spec.queue_name is None:
        leftover = blocking_resume(view, its_pods)
        message = f"waiting to resume: {_still_terminating(len(leftover))}" if leftover else "resuming"
        left_until = soonest(*(seconds_until_overdue(view, pod) for pod in leftover))
        return Observation(Phase.SUSPENDED, message, retry_after=left_until, word="Resuming")
    left = sum(not pods.over(pod) for pod in its_pods)
    message = f"waiting in queue {spec.queue_name}" + (f"; {_still_terminating(left)}" if left else "")
    return Observation(Phase.SUSPENDED, message, word="Queued")


def _failed(
    view: TrainingView, run: Run, spec: TrainingSpec, job: Obj, its_pods: list[Obj], failed: Obj, found: Evidence | None
) -> Observation:
    patience = _patience(failed, view.now)
    if found is None or found.echo:
        told = pod_events.explain(view, spec, job, failed, found)
        if told is not None:
            return Observation(Phase.FAILED, told.message, told)
    if found is None:
        text = (failed.get("message") or "its Job failed")[:2048]
        cause = Failure(
            reason=reason_word(failed.get("reason") or "", "JobFailed"),
            message=f"Job {job['metadata']['name']}: {text}. Its pods were deleted, and no Event says why",
            cause=Cause.INFRASTRUCTURE,
        )
        return Observation(Phase.FAILED, cause.message, cause, retry_after=patience)
    # A rank that lost its peer is often reported before the peer that failed.
    waits = not all(pods.over(pod) for pod in its_pods)
    return Observation(
        Phase.FAILED,
        found.failure.message,
        found.failure,
        _last_words(run, its_pods, found),
        retry_after=patience if waits else None,
    )


def _active(view: TrainingView, run: Run, spec: TrainingSpec, job: Obj, its_pods: list[Obj]) -> Observation:
    wanted = job["spec"].get("parallelism", 1)
    elastic = order.named(run.stage).elastic(spec)
    needed = elastic.min_nodes if elastic else wanted
    running = sum(pod.get("status", {}).get("phase") in _STARTED for pod in its_pods)
    if running >= wanted:
        return Observation(Phase.RUNNING, f"{_pods(wanted)} running")
    if running >= needed:
        return Observation(Phase.RUNNING, f"{running} of {_pods(wanted)} running; the others join when they start")
    left = _start_time_left(view, run, job)
    hindrance = next((found for pod in its_pods if (found := pods.obstacle(pod))), None)
    if hindrance is not None and hindrance.reason == "Unschedulable":
        if earlier := earlier_pods_alive(view, run):
            message = f"waiting for {_pods(earlier)} of earlier attempts to terminate"
            return Observation(Phase.PENDING, message)
        if run.avoided_nodes:
            avoided = f"{hindrance.message} Nodes avoided because of broken hardware: {', '.join(run.avoided_nodes)}"
            hindrance = hindrance.model_copy(update={"message": avoided[:4096]})
    if left is not None and left <= 0:
        return _not_started(view, hindrance, running, wanted)
    if hindrance is not None:
        return Observation(Phase.PENDING, hindrance.message, hindrance, retry_after=left)
    if not its_pods and _refused(job):
        name = job["metadata"]["name"]
        message = (
            f"Job {name} cannot create its pods, usually because of a quota, the namespace's Pod Security Standard, or "
            f"a service account that does not exist: see kubectl describe job {name}"
        )
        return Observation(Phase.PENDING, message, Failure(reason="PodsRefused", message=message), retry_after=left)
    return Observation(Phase.PENDING, f"waiting for {_pods(wanted)} to run", retry_after=left)


def _not_started(view: TrainingView, hindrance: Failure | None, running: int, wanted: int) -> Observation:
    said = f": {hindrance.message[:2048]}" if hindrance else ""
    image = hindrance is not None and hindrance.reason in ("ImagePullFailed", "ContainerConfigError")
    failure = Failure(
        reason=hindrance.reason if hindrance else "StartTimeout",
        message=f"only {running} of {_pods(wanted)} ran within spec.failurePolicy.startTimeout "
        f"({view.spec.failure_policy.start_timeout}){said}",
        cause=Cause.IMAGE if image else Cause.UNSCHEDULABLE,
        pod=hindrance.pod if hindrance else None,
        node=hindrance.node if hindrance else None,
    )
    return Observation(Phase.FAILED, failure.message, failure)


def _start_time_left(view: TrainingView, run: Run, job: Obj) -> float | None:
    """Seconds until the start timeout; None without one, before the Job was started, or once the attempt ran."""
    begun, limit = job.get("status", {}).get("startTime"), view.spec.failure_policy.start_timeout
    if limit is None or begun is None or begun == run.executed_at:
        return None
    return seconds(limit) - (view.now - moment(begun)).total_seconds()


def _refused(job: Obj) -> bool:
    """True when the Job controller started the Job but created no pod: it records both at once."""
    status = job.get("status", {})
    counts = ("active", "succeeded", "failed", "terminating")
    return "startTime" in status and not any(status.get(count) for count in counts)


def _newest(its_pods: Iterable[Obj]) -> list[Obj]:
    """The newest pod of each index: the Job of an elastic gang has replaced the older ones."""
    newest: dict[str, Obj] = {}
    for pod in its_pods:
        known = newest.get(_index(pod))
        if known is None or _age(pod) >= _age(known):
            newest[_index(pod)] = pod
    return [newest[index] for index in sorted(newest)]


def _age(pod: Obj) -> tuple[str, int]:
    meta = pod["metadata"]
    return str(meta.get("creationTimestamp") or ""), int(meta.get("resourceVersion") or 0)


def _order(pod: Obj) -> tuple[int, str]:
    index = _index(pod)
    return int(index) if index.isdecimal() else 0, str(pod["metadata"]["name"])


def _index(pod: Obj) -> str:
    return labels(pod).get(_INDEX) or annotations(pod).get(_INDEX) or "0"


def _last_words(run: Run, its_pods: list[Obj], found: Evidence) -> Obj:
    """The data of the termination message of the pod that caused the failure."""
    worker = order.named(run.stage).container
    for pod in its_pods:
        if pod["metadata"]["name"] != found.failure.pod:
            continue
        for container in pods.containers(pod):
            end = pods.terminated(container)
            if container["name"] == worker and end is not None:
                return pods.termination_message(end.get("message") or "").data
    return {}


def _patience(entry: Obj, now: datetime) -> float | None:
    """Seconds until the next look for missing evidence; None when none will come any more. Clocks may differ."""
    age = abs((now - moment(entry["lastTransitionTime"])).total_seconds())
    return 1.0 if age < EVIDENCE_GRACE else None


def _still_terminating(count: int) -> str:
    return f"{_pods(count)} from the previous start {'is' if count == 1 else 'are'} still terminating"


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
