"""A progress report as the plan of a training gets it: typed, after a pod sent it and it was admitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Number = float | Literal["nan", "inf", "-inf"]
"""A number as JSON can carry it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a program measured of itself. None: it did not say.

    ``step``, ``total``: optimizer steps, done and wanted. ``heartbeat``: the last sign of life of a rank, RFC 3339.
    """

    step: int | None = None
    total: int | None = None
    metrics: Mapping[str, Number] = field(default_factory=dict)
    samples_per_second: Number | None = None
    seconds_per_step: Number | None = None
    checkpoint_step: int | None = None
    heartbeat: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The last report of a training: whose it is, and what it says. ``received``: when, RFC 3339."""

    run: int
    stage: str
    attempt: int
    measured: Measured
    pod: str = ""
    received: str = ""

    @property
    def place(self) -> tuple[int, str, int]:
        """Run, stage and attempt that it is about."""
        return self.run, self.stage, self.attempt
