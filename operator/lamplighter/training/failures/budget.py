"""How often attempts may fail, by cause, and how long to wait before the next one."""

from lamplighter.api.common import seconds
from lamplighter.api.failures import Cause, Failure, FailurePolicy

_FIELD = {
    Cause.USER_ERROR: "maxRestarts",
    Cause.OUT_OF_MEMORY: "maxRestarts",
    Cause.HANG: "maxHangRestarts",
    Cause.INFRASTRUCTURE: "maxInfrastructureRestarts",
    Cause.HARDWARE: "maxInfrastructureRestarts",
}
"""The field of spec.failurePolicy that limits a cause. Preemption has no limit; causes that are not here are final."""
_LONGEST = 365 * 86400.0
"""Seconds of the longest pause, whatever spec.failurePolicy.backoff says, so that its end is a valid date."""
_ADVICE = {
    Cause.USER_ERROR: "Correct the script or its arguments; a changed spec or lamplighter.dev/retrain starts a new run",
    Cause.OUT_OF_MEMORY: "Changing the spec starts the next run",
    Cause.HANG: "Check the ranks' logs for where it hung; raise spec.failurePolicy.hangTimeout if it was only slow",
    Cause.INFRASTRUCTURE: "Check the Nodes, then request a new run with the annotation lamplighter.dev/retrain",
    Cause.HARDWARE: "Repair the Nodes, then request a new run with the annotation lamplighter.dev/retrain",
    Cause.IMAGE: "Changing the spec starts the next run, and so does the annotation lamplighter.dev/retrain",
    Cause.UNSCHEDULABLE: "Request fewer resources or add Nodes; spec.failurePolicy.startTimeout sets how long to wait",
    Cause.DEADLINE: "Raise spec.activeDeadline, then request a new run with the annotation lamplighter.dev/retrain",
}


def spends(cause: Cause) -> bool:
    """True when a failure of this cause counts as a restart."""
    return cause is not Cause.PREEMPTED


def allowed(policy: FailurePolicy, cause: Cause) -> int | None:
    """Restarts that this cause allows in one run; None: any number."""
    limits = {
        "maxRestarts": policy.max_restarts,
        "maxHangRestarts": policy.max_hang_restarts,
        "maxInfrastructureRestarts": policy.max_infrastructure_restarts,
    }
    return None if cause is Cause.PREEMPTED else limits.get(_FIELD.get(cause, ""), 0)


def pause(policy: FailurePolicy, in_a_row: int) -> float:
    """Seconds before the restart after ``in_a_row`` failures."""
    if in_a_row <= 1:
        return 0.0
    return min(seconds(policy.backoff.initial) * 2.0 ** min(in_a_row - 2, 40), seconds(policy.backoff.max), _LONGEST)


def final(failure: Failure, cause: Cause, times: int, limit: int) -> Failure:
    """The failure that ends a run, with what was tried and what the user can do."""
    tried = ""
    if limit:
        tried = f"{cause.value} ended {times} attempts; spec.failurePolicy.{_FIELD[cause]} is {limit}. "
    said = failure.message.rstrip()
    stop = "" if said.endswith((".", "!", "?")) else "."
    return failure.model_copy(update={"message": f"{said}{stop} {tried}{_ADVICE[cause]}"[:4096]})
