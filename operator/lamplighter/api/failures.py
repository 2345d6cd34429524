"""How a run can fail: the causes, the record of a failure, and how many failures the user allows."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from lamplighter.api.common import ApiModel, Duration, Limit, Text


class Cause(StrEnum):
    """Causes of failure. Each has its own budget of restarts."""

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
    cause: Cause | None = Field(
        default=None, description="Decides which budget of spec.failurePolicy it counts against."
    )
    pod: Annotated[str, Field(max_length=253)] | None = None
    node: Annotated[str, Field(max_length=253)] | None = None
    exit_code: int | None = None
    attempt: int | None = Field(default=None, ge=1)
    log: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=20)] = Field(
        default_factory=list, description="The last lines of output of the failed process."
    )


class Backoff(ApiModel):
    """The pause before a restart: none after the first failure, longer after each further failure in a row."""

    initial: Duration = Field(
        default="10s", description="Pause after the second failure in a row; doubles with each further one."
    )
    max: Duration = Field(
        default="10m", description="Longest pause. An attempt that ran longer than this starts the count again."
    )


class FailurePolicy(ApiModel):
    """When an attempt fails, the whole gang starts again as a new attempt, until the budget of the cause is used up.

    Preemption, drains and suspension use no budget.
    """

    max_restarts: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Restarts after errors of the script, and as many again after running out of memory.",
    )
    max_hang_restarts: int = Field(default=3, ge=0, le=1000, description="Restarts after hangs.")
    max_infrastructure_restarts: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Restarts after lost nodes and pods, and as many again after broken GPUs.",
    )
    backoff: Backoff = Field(default_factory=Backoff)
    hang_timeout: Limit | None = Field(
        default=None,
        description="A rank hangs when this much time passes after its last sign of life. Unset: no check.",
    )
    start_timeout: Limit | None = Field(
        default=None, description="How long an attempt may wait until all its pods run. Unset: no limit."
    )
