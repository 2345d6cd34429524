"""What the Job and the pods of a stage say about how it goes."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from lamplighter.api.failures import Failure
from lamplighter.core import pods
from lamplighter.core.conditions import reason_word
from lamplighter.core.naming import ATTEMPT, RUN, STAGE
from lamplighter.core.objects import Obj, condition, labels, moment
from lamplighter.core.plan import Snapshot
from lamplighter.training.stage import STAGE_CONTAINERS

EVIDENCE_GRACE = 10.0
"""Seconds to wait for the pod that explains a Job's end: Jobs and pods arrive on different watch streams."""
_STARTED = ("Running", "Succeeded", "Failed")
"""A pod that failed has run; that the stage failed is the Job's to say."""

SUSPENDED = "suspended: set spec.suspend to false to go on"


class Progress(Enum):
    """How far a stage is."""

    PENDING = auto()
    RUNNING = auto()
    SUSPENDED = auto()
    SUCCEEDED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Observation:
    """How a stage goes.

    ``failure`` is the cause of FAILED, or the obstacle of PENDING. ``report`` is what the stage's program said last.
    ``retry_after`` asks to look again: the evidence may still be on its way.
    """

    progress: Progress
    message: str
    failure: Failure | None = None
    report: pods.Report | None = None
    retry_after: float | None = None


def observe(snapshot: Snapshot, job: Obj, now: datetime) -> Observation:
    """Judge one stage by its Job and its pods."""
    mine = labels(job)
    its_pods = snapshot.all_owned("Pod", **{key: mine[key] for key in (RUN, STAGE, ATTEMPT) if key in mine})
    if done := condition(job, "Complete") or condition(job, "SuccessCriteriaMet"):
        return _succeeded(its_pods, done, now)
    if failed := condition(job, "FailureTarget") or condition(job, "Failed"):
        return _failed(job, its_pods, failed, now)
    if job["spec"].get("suspend"):
        return Observation(Progress.SUSPENDED, SUSPENDED)
    return _active(job, its_pods)


def _succeeded(its_pods: list[Obj], done: Obj, now: datetime) -> Observation:
    for pod in its_pods:
        for container in pods.containers(pod):
            end = pods.terminated(container)
            if container["name"] in STAGE_CONTAINERS and end is not None and end.get("message"):
                return Observation(Progress.SUCCEEDED, "succeeded", report=pods.report(end["message"]))
    return Observation(Progress.SUCCEEDED, "succeeded", retry_after=_patience(done, now))


def _failed(job: Obj, its_pods: list[Obj], failed: Obj, now: datetime) -> Observation:
    cause = pods.first_failure(its_pods)
    if cause is None:
        text = failed.get("message") or "its Job failed"
        cause = Failure(
            reason=reason_word(failed.get("reason") or "", "JobFailed"),
            message=f"Job {job['metadata']['name']}: {text}. No pod is left that tells why",
        )
        return Observation(Progress.FAILED, cause.message, cause, retry_after=_patience(failed, now))
    # Who saw another rank go is often reported before the one that went.
    waits = pods.echoes(cause) and not all(pods.over(pod) for pod in its_pods)
    return Observation(Progress.FAILED, cause.message, cause, retry_after=_patience(failed, now) if waits else None)


def _active(job: Obj, its_pods: list[Obj]) -> Observation:
    wanted = job["spec"].get("parallelism", 1)
    running = sum(pod.get("status", {}).get("phase") in _STARTED for pod in its_pods)
    if running >= wanted:
        return Observation(Progress.RUNNING, f"{_pods(wanted)} running")
    for pod in its_pods:
        if hindrance := pods.obstacle(pod):
            return Observation(Progress.PENDING, hindrance.message, hindrance)
    if not its_pods and _refused(job):
        name = job["metadata"]["name"]
        message = (
            f"Job {name} cannot make its pods: mostly a quota, the namespace's Pod Security Standard, or a service "
            f"account that does not exist. kubectl describe job {name} tells"
        )
        return Observation(Progress.PENDING, message, Failure(reason="PodsRefused", message=message))
    return Observation(Progress.PENDING, f"waiting for {_pods(wanted)} to run")


def _refused(job: Obj) -> bool:
    """True when the Job controller has started the Job and got no pod: it writes down both at once."""
    status = job.get("status", {})
    counts = ("active", "succeeded", "failed", "terminating")
    return "startTime" in status and not any(status.get(count) for count in counts)


def _patience(entry: Obj, now: datetime) -> float | None:
    """Seconds until missing evidence is looked for again; None when it is too late to come. Clocks may differ."""
    age = abs((now - moment(entry["lastTransitionTime"])).total_seconds())
    return 1.0 if age < EVIDENCE_GRACE else None


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
