"""What a pod reports: parsed strictly, and in the form in which it is kept."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from pydantic.alias_generators import to_camel

from lamplighter.api.progress import MAX_METRICS, METRIC_NAME
from lamplighter.core.objects import RFC3339, Obj, moment, timestamp
from lamplighter.progress.refusal import Refusal

MAX_BYTES = 16 * 1024
CLOCK_SKEW = timedelta(minutes=5)
"""Clocks of Nodes may differ by so much from ours."""

_EXACT = 2**53 - 1  # the largest integer that every reader of JSON holds exactly

Count = Annotated[int, Field(ge=0, le=_EXACT)]
Ordinal = Annotated[int, Field(ge=1, le=2**31 - 1)]
Rate = Annotated[FiniteFloat, Field(ge=0)]
MetricName = Annotated[str, Field(pattern=f"^{METRIC_NAME}$")]
Number = FiniteFloat | Literal["nan", "inf", "-inf"]


class Report(BaseModel):
    """One report. Fields that are not known are dropped: an image may be newer than the operator."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)

    run: Ordinal
    attempt: Ordinal
    sequence: Annotated[int, Field(ge=0, le=2**63 - 1)]
    heartbeat: Annotated[str, Field(max_length=40, pattern=f"^{RFC3339}$")]
    step: Count | None = None
    total: Count | None = None
    metrics: Annotated[dict[MetricName, Number], Field(max_length=MAX_METRICS)] = {}
    samples_per_second: Rate | None = None
    seconds_per_step: Rate | None = None
    checkpoint_step: Count | None = None

    def kept(self, pod: str, stage: str, heartbeat: datetime, received: datetime) -> Obj:
        """As the index keeps it: the names of the wire, without what was not said."""
        said: Obj = self.model_dump(by_alias=True, exclude_none=True)
        known = {"pod": pod, "stage": stage, "heartbeat": timestamp(heartbeat), "received": timestamp(received)}
        return said | known


def parse(body: bytes) -> Report:
    """Read a report.

    Raises:
        Refusal: it is not one (400).
    """
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".strip(": ") for one in error.errors()[:3]]
        raise Refusal(400, f"not a report: {'; '.join(wrong)}"[:500]) from error


def last_sign_of_life(report: Report, born: datetime, now: datetime) -> datetime:
    """The last sign of life, not after now.

    Raises:
        Refusal: it is further in the future than clocks may differ, or from before the pod was made (400).
    """
    try:
        said = moment(report.heartbeat)
    except ValueError as error:
        raise Refusal(400, f"heartbeat: there is no moment {report.heartbeat}") from error
    if not born - CLOCK_SKEW <= said <= now + CLOCK_SKEW:
        raise Refusal(
            400,
            f"heartbeat {report.heartbeat} is not between the start of the pod ({timestamp(born)}) and now "
            f"({timestamp(now)}): is the clock of the Node right?",
        )
    return min(said, now)
