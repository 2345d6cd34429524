"""Figures: percentiles, ratios, sums, and how they compare with what we aim at. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Requests = Mapping[tuple[str, str], float]
"""(verb, plural) -> number of requests."""

WRITES = frozenset({"create", "update", "patch", "delete"})


def rounded(value: float) -> float:
    """Three significant places below 10, one digit behind the point above."""
    return round(value, 3 if abs(value) < 10 else 1)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile (inclusive method: of 30 values, between the 28th and the 29th)."""
    if len(values) == 1:
        return {"p50": rounded(values[0]), "p95": rounded(values[0])}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": rounded(cuts[49]), "p95": rounded(cuts[94])}


def percentile(values: Sequence[float], percent: int) -> float:
    """One percentile of many values, by the same method."""
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def per_object(before: Requests, after: Requests, count: int) -> dict[str, float]:
    """Requests by ``verb plural`` that came between two readings, per object."""
    grown = {place: (value - before.get(place, 0.0)) / count for place, value in after.items()}
    return {f"{verb} {plural}": rounded(value) for (verb, plural), value in sorted(grown.items()) if value}


def by_verb(requests: Mapping[str, float]) -> dict[str, float]:
    """Sums requests by ``verb plural`` over the resources."""
    sums: dict[str, float] = {}
    for place, value in requests.items():
        verb = place.partition(" ")[0]
        sums[verb] = rounded(sums.get(verb, 0.0) + value)
    return sums


def writes(requests: Mapping[str, float]) -> float:
    """All requests by ``verb plural`` that change something."""
    return rounded(sum(value for place, value in requests.items() if place.partition(" ")[0] in WRITES))


def ratio(value: float, reference: float) -> float:
    """How many times the reference."""
    return rounded(value / reference)


@dataclass(frozen=True)
class Aim:
    """A figure that should not exceed a bound, or not fall short of it (``at_least``). ``path`` leads to it."""

    path: tuple[str, ...]
    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the figure is as we want it."""
        return value >= self.bound if self.at_least else value <= self.bound


_LEFT_OUT = object()
AIMS = (
    Aim(("training_latency_ms", "p50"), 15),
    Aim(("writes_until_running",), 5),
    Aim(("operator", "rss_mib"), 120),
    Aim(("operator", "cpu_ms_per_training"), 5),
    Aim(("linearity",), 1.25),
    Aim(("restart_s", "2"), 1),
    Aim(("restart_s", "32"), 2),
    Aim(("restart_s", "256"), 10),
)
SCALE_AIMS = (Aim(("scale", "growth"), 1.25), Aim(("scale", "10000", "rss_mib"), 1024))
OVERHEAD_AIMS = (Aim(("overhead_s", "sum"), 10),)
SUSPENDED_AIMS = (*AIMS, Aim(("training_burst", "1000", "done_s"), 15))


def judge(result: Mapping[str, Any], aims: Sequence[Aim]) -> dict[str, dict[str, float | bool | None]]:
    """Each aim beside its figure: left out where nobody measured, and not met where measuring failed (None)."""
    verdicts: dict[str, dict[str, float | bool | None]] = {}
    for aim in aims:
        value: Any = result
        for step in aim.path:
            value = value.get(step, _LEFT_OUT) if isinstance(value, Mapping) else _LEFT_OUT
        if value is not _LEFT_OUT:
            met = value is not None and aim.met(value)
            verdicts[".".join(aim.path)] = {"value": value, "aim": aim.bound, "met": met}
    return verdicts


def linearity(bursts: Mapping[str, Mapping[str, float]]) -> float | None:
    """Time per object (until the last Job) of the largest burst, in units of the smallest one's. 1 is linear."""
    sizes = sorted(bursts, key=int)
    if len(sizes) < 2:
        return None
    small, large = (bursts[size]["jobs_s"] / int(size) for size in (sizes[0], sizes[-1]))
    return ratio(large, small)


def growth(seconds: Mapping[int, float]) -> float | None:
    """Seconds per further object between the two largest sizes, in units of those between the two before.

    1 is linear, and what the first object costs is left out; None when there are not three sizes.
    """
    if len(seconds) < 3:
        return None
    small, middle, large = sorted(seconds)[-3:]
    before = (seconds[middle] - seconds[small]) / (middle - small)
    return ratio((seconds[large] - seconds[middle]) / (large - middle), before) if before > 0 else None
