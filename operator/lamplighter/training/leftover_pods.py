"""The pods of a Job, and those of before: of earlier attempts, or stopped by a suspension that is over."""

from datetime import timedelta

from lamplighter.api.training import Run
from lamplighter.core import pods
from lamplighter.core.naming import ATTEMPT, RUN, STAGE
from lamplighter.core.objects import Obj, condition, controlled_by, labels, moment
from lamplighter.training.view import TrainingView

_OVERDUE = timedelta(seconds=30)
_STARTS_WITHIN = timedelta(seconds=5)
"""A Job's start is written down after its pods were made; those of before are older than that."""


def pods_of(view: TrainingView, job: Obj) -> list[Obj]:
    """The pods of a Job; a copy that somebody made of one to look into it has its labels, but not its controller."""
    mine = labels(job)
    alike = view.snapshot.all_owned("Pod", **{key: mine[key] for key in (RUN, STAGE, ATTEMPT) if key in mine})
    return [pod for pod in alike if controlled_by(pod, "Job", job["metadata"]["name"])]


def earlier_pods_alive(view: TrainingView, run: Run) -> int:
    """Pods of earlier attempts, stages and runs that still hold their place."""
    mine = {RUN: str(run.number), STAGE: run.stage, ATTEMPT: str(run.attempt)}
    others = [pod for pod in view.snapshot.all_owned("Pod") if not mine.items() <= labels(pod).items()]
    return sum(not (pods.over(pod) or _overdue(view, pod)) for pod in others)


def _overdue(view: TrainingView, pod: Obj) -> bool:
    """True for a pod that should have ended, as on a Node that is lost: nobody waits for its place."""
    left = seconds_until_overdue(view, pod)
    return left is not None and left <= 0


def seconds_until_overdue(view: TrainingView, pod: Obj) -> float | None:
    """Seconds until nobody waits for a deleted pod any more; None for one that was not deleted."""
    end = pod["metadata"].get("deletionTimestamp")
    return None if end is None else (moment(end) + _OVERDUE - view.now).total_seconds()


def is_leftover(job: Obj, pod: Obj) -> bool:
    """True for a pod that was stopped by a suspension that is over: how it ended says nothing about the pods of now."""
    if "deletionTimestamp" not in pod["metadata"] or job["spec"].get("suspend"):
        return False
    if condition(job, "Suspended"):
        return True  # resumed, but its controller has not started it again
    begun, made = job.get("status", {}).get("startTime"), pod["metadata"].get("creationTimestamp")
    return begun is not None and made is not None and moment(made) + _STARTS_WITHIN < moment(begun)


def blocking_resume(view: TrainingView, its_pods: list[Obj]) -> list[Obj]:
    """The pods of a suspended Job that nobody joins: they still save their work, or are about to be removed.

    One that should be gone is not waited for: the Job of an elastic gang keeps a worker that was deleted before the
    suspension, by its finalizer, until it makes the next one, and counts it then. Suspended, it makes none.
    """
    return [
        pod
        for pod in its_pods
        if ("deletionTimestamp" in pod["metadata"] or not pods.over(pod)) and not _overdue(view, pod)
    ]
