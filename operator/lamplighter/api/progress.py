"""Checkpoints and progress of a run while it runs."""

from typing import Annotated

from pydantic import Field

from lamplighter.api import GROUP
from lamplighter.api.common import ApiModel, Duration, Timestamp

PROGRESS_AUDIENCE = f"{GROUP}/progress"
"""The audience of the token with which a pod reports its progress."""
MAX_METRICS = 32
METRIC_NAME = r"[A-Za-z_][-A-Za-z0-9_./]{0,62}"
"""The pattern of a metric's name; the launcher in the pods uses the same one."""
Metrics = Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=MAX_METRICS)]
"""The last value of each metric, six digits. It is text, because JSON has no nan and inf, which people want to see."""


class CheckpointPolicy(ApiModel):
    """What the operator tells the script about checkpoints; ``lamplighter_runtime`` follows it."""

    every: Duration = Field(default="5m", description="Time between two checkpoints: how much work may be lost.")
    keep: int = Field(default=3, ge=1, le=100, description="How many of the newest checkpoints are kept.")


class ProgressOptions(ApiModel):
    """Where progress is read from, besides the reports through ``lamplighter_runtime``."""

    from_output: bool = Field(
        default=False, description="True: printed pairs such as step=10 loss=0.3 also count as reports."
    )


class Progress(ApiModel):
    """Progress of the current attempt. While it runs, this is at most a few seconds old."""

    step: int | None = None
    total: int | None = None
    steps: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="For people, such as 120/1000."
    )
    metrics: Metrics = Field(default_factory=dict, description="The last value of each metric, six digits.")
    samples_per_second: Annotated[str, Field(max_length=32)] | None = None
    eta: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="Time left, such as 12m30s.")
    checkpoint_step: int | None = Field(default=None, description="The step of the newest checkpoint.")
    heartbeat: Timestamp | None = Field(default=None, description="The last sign of life of a rank.")
    time: Timestamp | None = Field(default=None, description="When this was written.")
