"""The pods of a Job, and leftover ones: of earlier attempts, or stopped by a suspension that is over."""

from datetime import timedelta

from lamplighter.api.training import Run
from lamplighter.core import pods
from lamplighter.core.naming import ATTEMPT, RUN, STAGE
from lamplighter.core.objects import Obj, condition, controlled_by, labels, moment
from lamplighter.training.view import TrainingView

_OVERDUE = timedelta(seconds=30)
_STARTS_WITHIN = timedelta(seconds=5)
"""The Job controller records a Job's start after it created the pods; leftover pods are older than this."""


def pods_of(view: TrainingView, job: Obj) -> list[Obj]:
    """The pods of a Job. A copy made for debugging has their labels but not their controller, so it is none of them."""
    mine = labels(job)
    alike = view.snapshot.all_owned("Pod", **{key: mine[key] for key in (RUN, STAGE, ATTEMPT) if key in mine})
    return [pod for pod in alike if controlled_by(pod, "Job", job["metadata"]["name"])]


def earlier_pods_alive(view: TrainingView, run: Run) -> int:
    """The number of pods of earlier attempts, stages and runs that still hold their resources."""
    mine = {RUN: str(run.number), STAGE: run.stage, ATTEMPT: str(run.attempt)}
    others = [pod for pod in view.snapshot.all_owned("Pod") if not mine.items() <= labels(pod).items()]
    return sum(not (pods.over(pod) or _overdue(view, pod)) for pod in others)


def _overdue(view: TrainingView, pod: Obj) -> bool:
    """True for a pod that should have ended long ago, for example on a lost Node: nothing waits for it any more."""
    left = seconds_until_overdue(view, pod)
    return left is not None and left <= 0


def seconds_until_overdue(view: TrainingView, pod: Obj) -> float | None:
    """Seconds until a deleted pod is no longer waited for; None for one that was not deleted."""
    end = pod["metadata"].get("deletionTimestamp")
    return None if end is None else (moment(end) + _OVERDUE - view.now).total_seconds()


def is_leftover(job: Obj, pod: Obj) -> bool:
    """True for a pod stopped by a suspension that is over: how it ended says nothing about the current pods."""
    if "deletionTimestamp" not in pod["metadata"] or job["spec"].get("suspend"):
        return False
    if condition(job, "Suspended"):
        return True  # resumed, but the Job controller has not restarted it
    begun, made = job.get("status", {}).get("startTime"), pod["metadata"].get("creationTimestamp")
    return begun is not None and made is not None and moment(made) + _STARTS_WITHIN < moment(begun)


def blocking_resume(view: TrainingView, its_pods: list[Obj]) -> list[Obj]:
    """The pods of a suspended Job that must end before it resumes: they are saving their work or being removed.

    An overdue pod is not waited for. The Job of an elastic gang holds a worker that was deleted before the suspension
    by its finalizer until it creates the next one, and a suspended Job creates none.
    """
    return [
        pod
        for pod in its_pods
        if ("deletionTimestamp" in pod["metadata"] or not pods.over(pod)) and not _overdue(view, pod)
    ]
