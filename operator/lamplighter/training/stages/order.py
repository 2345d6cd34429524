"""The stages of a run, in order, and the Job of each.

A new stage is a module beside this one that defines a ``Stage``, and its place in ``STAGES``; nothing else lists them.
"""

from lamplighter.api.training import TrainingSpec
from lamplighter.core.naming import ATTEMPT, RUN, STAGE, child, child_labels
from lamplighter.core.objects import Obj
from lamplighter.training.stages import package, train
from lamplighter.training.stages.base import Stage, StageRun

STAGES = (train.STAGE, package.STAGE)
QUEUE = "kueue.x-k8s.io/queue-name"


def first(spec: TrainingSpec) -> Stage:
    """The stage with which a run of this spec starts."""
    return next(stage for stage in STAGES if stage.is_wanted(spec))


def after(spec: TrainingSpec, stage: Stage) -> Stage | None:
    """The stage that follows in a run of this spec; None after the last."""
    later = STAGES[STAGES.index(stage) + 1 :]
    return next((one for one in later if one.is_wanted(spec)), None)


def named(name: str) -> Stage:
    """The stage of this name, as the status and labels have it."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise ValueError(f"this version of Lamplighter has no stage {name}")


def comes_after(name: str, other: str) -> bool:
    """True when a run reaches the stage of this name later than the other; False when either is unknown."""
    names = [stage.name for stage in STAGES]
    return name in names and other in names and names.index(name) > names.index(other)


def containers() -> frozenset[str]:
    """The containers that do the work of the stages."""
    return frozenset(stage.container for stage in STAGES)


def job_name(training: str, run: int, stage: Stage, attempt: int) -> str:
    """The Job of a stage's attempt: ``digits-1-1``, ``digits-1-package-1``."""
    return "-".join(part for part in (training, str(run), stage.job_infix, str(attempt)) if part)


def labels(owner: Obj, run: int, stage: Stage, attempt: int) -> dict[str, str]:
    """Labels of the Job, its Service and its pods."""
    return child_labels(owner, **{RUN: str(run), STAGE: stage.name, ATTEMPT: str(attempt)})


def job(own: StageRun, suspend: bool) -> Obj:
    """The Indexed Job of one attempt. It neither retries nor expires by itself: the operator decides both."""
    pods = own.stage.width(own.spec)
    return child(
        own.owner,
        "batch/v1",
        "Job",
        own.job,
        own.labels | _queue(own),
        spec={
            "completionMode": "Indexed",
            "completions": pods,
            "parallelism": pods,
            **_retries(own),
            "suspend": suspend,
            "template": own.stage.pod(own),
        },
    )


def _retries(own: StageRun) -> Obj:
    """None, except that the Job of an elastic gang replaces a lost worker; its first worker decides when it ends.

    A worker that comes back after the others have finished has no gang to join.
    """
    if own.stage.elastic(own.spec) is None:
        return {"backoffLimit": 0}
    return {
        "backoffLimitPerIndex": own.spec.failure_policy.max_infrastructure_restarts,
        "maxFailedIndexes": 0,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }


def _queue(own: StageRun) -> dict[str, str]:
    return {QUEUE: own.spec.queue_name} if own.spec.queue_name else {}


def service(own: StageRun) -> Obj | None:
    """The headless Service that gives every pod of a gang a name; None where the pods need none."""
    if own.stage.service_port is None or not own.gang:
        return None
    return child(
        own.owner,
        "v1",
        "Service",
        own.job,
        own.labels,
        spec={
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": own.job},
            "ports": [{"name": "rendezvous", "port": own.stage.service_port}],
        },
    )
