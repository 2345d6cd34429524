"""How many processors this container may use."""

import math
import os
from pathlib import Path


def usable(root: Path = Path("/")) -> int:
    """Return the CPU limit of the container's cgroup, rounded up; without a limit the processors it may run on."""
    allowed = len(os.sched_getaffinity(0))
    limit = _version2(root / "sys/fs/cgroup/cpu.max") or _version1(root / "sys/fs/cgroup/cpu")
    return max(1, min(allowed, math.ceil(limit))) if limit else allowed


def _version2(path: Path) -> float | None:
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max", no limit
        return None


def _version1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
