"""What a run saves and tells while it is under way."""

from typing import Annotated

from pydantic import Field

from lamplighter.api import GROUP
from lamplighter.api.common import ApiModel, Duration, Timestamp

PROGRESS_AUDIENCE = f"{GROUP}/progress"
"""What the token must have been made for with which a pod reports its progress."""
MAX_METRICS = 32
METRIC_NAME = r"[A-Za-z_][-A-Za-z0-9_./]{0,62}"
"""What a metric may be called; the launcher in the pods goes by the same pattern."""
Metrics = Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=MAX_METRICS)]
"""The last value of each metric, six digits: text, since nan and inf are values that people want to see."""


class CheckpointPolicy(ApiModel):
    """What the script is told about checkpoints; ``lamplighter_runtime`` follows it."""

    every: Duration = Field(default="5m", description="How much work may be lost.")
    keep: int = Field(default=3, ge=1, le=100, description="Newest checkpoints that are kept.")


class ProgressOptions(ApiModel):
    """Where progress is read from, beside what the script reports through ``lamplighter_runtime``."""

    from_output: bool = Field(
        default=False, description="True: printed pairs such as step=10 loss=0.3 count as reports, too."
    )


class Progress(ApiModel):
    """How far the current attempt is, at most a few seconds old while it runs."""

    step: int | None = None
    total: int | None = None
    steps: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="For people: 120/1000.")
    metrics: Metrics = Field(default_factory=dict, description="The last value of each, six digits.")
    samples_per_second: Annotated[str, Field(max_length=32)] | None = None
    eta: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="Time left: 12m30s.")
    checkpoint_step: int | None = Field(default=None, description="The step of the newest checkpoint.")
    heartbeat: Timestamp | None = Field(default=None, description="The last sign of life of a rank.")
    time: Timestamp | None = Field(default=None, description="When this was written.")
