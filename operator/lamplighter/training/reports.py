"""The progress that ranks report, as the status shows it."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from lamplighter.api.progress import MAX_METRICS, METRIC_NAME, Progress
from lamplighter.api.training import Run
from lamplighter.core.objects import RFC3339, Obj, moment, timestamp
from lamplighter.core.report import Measured, Number
from lamplighter.training.view import TrainingView

WRITE_EVERY = 10.0
"""Seconds between two status writes that change nothing but progress."""
_WORDS: tuple[Literal["nan", "inf", "-inf"], ...] = ("nan", "inf", "-inf")


def heard(view: TrainingView, run: Run) -> Progress | None:
    """The newest progress of the current attempt: from the last report, or what the status already shows."""
    report = view.snapshot.report
    if report is None or report.place != (run.number, run.stage, run.attempt):
        return run.progress
    told = shown(report.measured)
    written = run.progress
    if written is not None and told == written.model_copy(update={"time": None}):
        return written
    return told.model_copy(update={"time": timestamp(view.now)})


def wait(view: TrainingView, run: Run) -> float:
    """Seconds until new progress alone justifies another status write."""
    if run.progress is None or run.progress.time is None:
        return 0.0
    return WRITE_EVERY - max((view.now - moment(run.progress.time)).total_seconds(), 0.0)


def final(run: Run, said: Obj, when: str) -> Progress | None:
    """The progress at the end of an attempt: from its termination message, otherwise the last that is known."""
    if not any(key in said for key in ("step", "metrics")):
        return run.progress
    known = {} if run.progress is None else run.progress.model_dump(by_alias=True, exclude_none=True)
    told = shown(measured(said)).model_dump(by_alias=True, exclude_none=True)
    metrics = {**known.get("metrics", {}), **told.pop("metrics", {})}
    merged = {**known, **told, "metrics": dict(list(metrics.items())[-MAX_METRICS:]), "time": when}
    merged.pop("eta", None)
    return Progress.model_validate(merged)


def measured(said: Obj) -> Measured:
    """What a termination message says. Pods are not trusted: fields of a wrong type are left out."""
    metrics = said.get("metrics")
    pairs = metrics.items() if isinstance(metrics, dict) else ()
    return Measured(
        step=_whole(said.get("step")),
        total=_whole(said.get("total")),
        metrics=dict(list(_metrics(pairs))[:MAX_METRICS]),
        samples_per_second=_number(said.get("samplesPerSecond")),
        seconds_per_step=_number(said.get("secondsPerStep")),
        checkpoint_step=_whole(said.get("checkpointStep")),
        heartbeat=_time(said.get("heartbeat")),
    )


def shown(measured: Measured) -> Progress:
    """What was measured, as users read it."""
    step, total = measured.step, measured.total
    return Progress(
        step=step,
        total=total,
        steps=None if step is None else f"{step}/{total}" if total else str(step),
        metrics={name: number(value) for name, value in measured.metrics.items()},
        samples_per_second=None if measured.samples_per_second is None else number(measured.samples_per_second),
        eta=_eta(step, total, measured.seconds_per_step),
        checkpoint_step=measured.checkpoint_step,
        heartbeat=measured.heartbeat,
    )


def number(value: Number) -> str:
    """Six digits of a number, or nan, inf, -inf."""
    return value if isinstance(value, str) else f"{value:.6g}"


def duration(seconds: float) -> str:
    """The two largest parts of a duration: 2d3h, 12m30s, 5s."""
    parts: list[str] = []
    rest = max(round(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def _eta(step: int | None, total: int | None, seconds_per_step: Number | None) -> str | None:
    if step is None or not total or seconds_per_step is None or isinstance(seconds_per_step, str):
        return None
    left = (total - step) * seconds_per_step
    return duration(left) if math.isfinite(left) and 0 <= left < 1e9 else None


def _metrics(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Number]]:
    for name, value in pairs:
        if isinstance(name, str) and re.fullmatch(METRIC_NAME, name) and (known := _number(value)) is not None:
            yield name, known


def _number(value: Any) -> Number | None:
    """The number as a float, infinity where it is too large for one, since JSON sets no limit; or one of the words."""
    if isinstance(value, str):
        return next((word for word in _WORDS if word == value), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _time(value: Any) -> str | None:
    """A moment in RFC 3339, which both the API server and the operator can read."""
    if not isinstance(value, str) or not re.fullmatch(RFC3339, value):
        return None
    try:
        moment(value)
    except ValueError:
        return None
    return value


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
