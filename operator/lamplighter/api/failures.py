"""How a run may fail: the causes, what a failure tells, and what the user allows."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from lamplighter.api.common import ApiModel, Duration, Limit, Text


class Cause(StrEnum):
    """Kinds of failure that are treated differently: each has a budget of its own."""

    USER_ERROR = "UserError"
    OUT_OF_MEMORY = "OutOfMemory"
    INFRASTRUCTURE = "Infrastructure"
    PREEMPTED = "Preempted"
    HARDWARE = "Hardware"
    HANG = "Hang"
    IMAGE = "Image"
    UNSCHEDULABLE = "Unschedulable"
    DEADLINE = "Deadline"


class Failure(ApiModel):
    """Why something went wrong, and where."""

    reason: Annotated[str, Field(max_length=128)]
    message: Text
    cause: Cause | None = Field(default=None, description="Which budget of spec.failurePolicy it spends.")
    pod: Annotated[str, Field(max_length=253)] | None = None
    node: Annotated[str, Field(max_length=253)] | None = None
    exit_code: int | None = None
    attempt: int | None = Field(default=None, ge=1)
    log: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=20)] = Field(
        default_factory=list, description="The last lines that the failed process wrote."
    )


class Backoff(ApiModel):
    """The pause before a restart. The first failure is answered at once, each further one in a row waits longer."""

    initial: Duration = Field(default="10s", description="Pause after the second failure in a row; it doubles then.")
    max: Duration = Field(
        default="10m", description="Longest pause. An attempt that ran longer than this ends the row."
    )


class FailurePolicy(ApiModel):
    """What happens when an attempt fails: the whole gang starts again as a new attempt, as often as the cause allows.

    Preemption, eviction, drain and suspension spend nothing.
    """

    max_restarts: int = Field(
        default=0, ge=0, le=1000, description="After errors of the script, and as many when it runs out of memory."
    )
    max_hang_restarts: int = Field(default=3, ge=0, le=1000, description="After hangs.")
    max_infrastructure_restarts: int = Field(
        default=20, ge=0, le=1000, description="After lost nodes and pods, and as many after broken GPUs."
    )
    backoff: Backoff = Field(default_factory=Backoff)
    hang_timeout: Limit | None = Field(
        default=None,
        description="A rank that showed a sign of life and then none for so long hangs. Unset: nobody looks.",
    )
    start_timeout: Limit | None = Field(
        default=None, description="How long an attempt may wait until all its pods run. Unset: for ever."
    )
