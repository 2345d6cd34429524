"""Metrics as text: as JSON for the operator, and in printed lines such as `step=10 loss=0.3 total=100`."""

import math
import re
from collections.abc import Iterable, Mapping

LIMIT = 32  # metrics of one report
NAME = re.compile(r"[A-Za-z_][-A-Za-z0-9_./]{0,62}")
_PAIR = re.compile(
    rf"(?:^|(?<=[\s,;|(\[]))({NAME.pattern})\s?=\s?([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf))"
    r"(?=$|[\s,;|)\]])",
    re.IGNORECASE,
)


def encoded(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Return the metrics as JSON can hold them: NaN and the infinities as "nan", "inf" and "-inf"."""
    return {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}


def pairs(line: str) -> dict[str, float]:
    """Return the numbers that a line of output gives as `key=value`; empty when there are none."""
    return {name: float(value) for name, value in _PAIR.findall(line)}


def merged(old: Mapping[str, float], new: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the old metrics with the new values; names beyond LIMIT are left out."""
    result = dict(old)
    for name, value in new:
        if name in result or len(result) < LIMIT:
            result[name] = value
    return result
