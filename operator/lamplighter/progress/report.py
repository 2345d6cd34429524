"""A pod's report: parsed strictly, and the form in which the index keeps it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from pydantic.alias_generators import to_camel

from lamplighter.api.progress import MAX_METRICS, METRIC_NAME
from lamplighter.core.objects import RFC3339, moment, timestamp
from lamplighter.core.report import Measured, ProgressReport
from lamplighter.progress.refusal import Refusal

MAX_BYTES = 16 * 1024
CLOCK_SKEW = timedelta(minutes=5)
"""How much the clocks of Nodes may differ from ours."""

_EXACT = 2**53 - 1  # the largest integer that every reader of JSON holds exactly

Count = Annotated[int, Field(ge=0, le=_EXACT)]
Ordinal = Annotated[int, Field(ge=1, le=2**31 - 1)]
Rate = Annotated[FiniteFloat, Field(ge=0)]
MetricName = Annotated[str, Field(pattern=f"^{METRIC_NAME}$")]
FiniteNumber = FiniteFloat | Literal["nan", "inf", "-inf"]


class Report(BaseModel):
    """One report. Unknown fields are dropped, since an image may be newer than the operator."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)

    run: Ordinal
    attempt: Ordinal
    sequence: Annotated[int, Field(ge=0, le=2**63 - 1)]
    heartbeat: Annotated[str, Field(max_length=40, pattern=f"^{RFC3339}$")]
    step: Count | None = None
    total: Count | None = None
    metrics: Annotated[dict[MetricName, FiniteNumber], Field(max_length=MAX_METRICS)] = {}
    samples_per_second: Rate | None = None
    seconds_per_step: Rate | None = None
    checkpoint_step: Count | None = None

    def kept(self, pod: str, stage: str, heartbeat: datetime, received: datetime) -> ProgressReport:
        """The report as the index keeps it, and plans read it."""
        measured = Measured(
            step=self.step,
            total=self.total,
            metrics=self.metrics,
            samples_per_second=self.samples_per_second,
            seconds_per_step=self.seconds_per_step,
            checkpoint_step=self.checkpoint_step,
            heartbeat=timestamp(heartbeat),
        )
        return ProgressReport(self.run, stage, self.attempt, measured, pod, timestamp(received))


def parse(body: bytes) -> Report:
    """Parse a report.

    Raises:
        Refusal: it is malformed (400).
    """
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".strip(": ") for one in error.errors()[:3]]
        raise Refusal(400, f"the report is malformed: {'; '.join(wrong)}"[:500]) from error


def last_sign_of_life(report: Report, born: datetime, now: datetime) -> datetime:
    """The time of the last sign of life, at most now.

    Raises:
        Refusal: it is further in the future than clocks may differ, or before the pod was created (400).
    """
    try:
        said = moment(report.heartbeat)
    except ValueError as error:
        raise Refusal(400, f"heartbeat: {report.heartbeat} is not a valid time") from error
    if not born - CLOCK_SKEW <= said <= now + CLOCK_SKEW:
        raise Refusal(
            400,
            f"heartbeat {report.heartbeat} is not between the start of the pod ({timestamp(born)}) and now "
            f"({timestamp(now)}): check the clock of the Node",
        )
    return min(said, now)
