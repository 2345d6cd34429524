"""The stages of a run, in order. Each is a Job of its own; this is the one place that lists them."""

from collections.abc import Callable

from lamplighter.api.training import TrainingSpec
from lamplighter.core.naming import ATTEMPT, RUN, STAGE, child, child_labels
from lamplighter.core.objects import Obj
from lamplighter.training.stages import package, train
from lamplighter.training.stages.base import StageRun

QUEUE = "kueue.x-k8s.io/queue-name"
TRAIN = "train"
PACKAGE = "package"

_POD: dict[str, Callable[[StageRun], Obj]] = {TRAIN: train.pod, PACKAGE: package.pod}


def of(spec: TrainingSpec) -> list[str]:
    """The stages that a run of this spec goes through."""
    return [TRAIN, *([PACKAGE] if spec.package else [])]


def after(spec: TrainingSpec, stage: str) -> str | None:
    """The stage that follows; None after the last."""
    order = of(spec)
    position = order.index(stage) + 1
    return order[position] if position < len(order) else None


def job_name(training: str, run: int, stage: str, attempt: int) -> str:
    """The Job of a stage's attempt: ``digits-1-1``, ``digits-1-package-1``."""
    middle = "" if stage == TRAIN else f"{stage}-"
    return f"{training}-{run}-{middle}{attempt}"


def labels(owner: Obj, run: int, stage: str, attempt: int) -> dict[str, str]:
    """Labels of the Job, its Service and its pods."""
    return child_labels(owner, **{RUN: str(run), STAGE: stage, ATTEMPT: str(attempt)})


def job(stage_run: StageRun, suspend: bool) -> Obj:
    """The Indexed Job of one attempt. It never retries by itself and never expires: both are the operator's."""
    pods = stage_run.spec.nodes if stage_run.stage == TRAIN else 1
    own = stage_run
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
            "template": _POD[own.stage](own),
        },
    )


def _retries(own: StageRun) -> Obj:
    """None by the Job itself; only a lost worker of an elastic gang is replaced, and its first worker tells the end.

    A worker that comes back when the others have finished finds nobody to join.
    """
    if own.stage != TRAIN or own.spec.elastic is None:
        return {"backoffLimit": 0}
    return {
        "backoffLimitPerIndex": own.spec.failure_policy.max_infrastructure_restarts,
        "maxFailedIndexes": 0,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }


def _queue(own: StageRun) -> dict[str, str]:
    return {QUEUE: own.spec.queue_name} if own.spec.queue_name else {}


def service(stage_run: StageRun) -> Obj | None:
    """The headless Service that gives every rank a name; None where one pod needs none."""
    own = stage_run
    if own.stage != TRAIN or not own.gang:
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
            "ports": [{"name": "rendezvous", "port": train.MASTER_PORT}],
        },
    )
