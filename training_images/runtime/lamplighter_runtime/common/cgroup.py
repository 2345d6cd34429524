"""The limits of this container's cgroup (v2, else v1), and the processes that the kernel killed for memory."""

import math
import os
from pathlib import Path

# v2, then v1: both count kills as a line `oom_kill <n>`.
OOM_COUNTERS = ("sys/fs/cgroup/memory.events", "sys/fs/cgroup/memory/memory.oom_control")
MEMORY_LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
_UNLIMITED = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the memory limit in bytes; None where there is none or it cannot be read."""
    for file in MEMORY_LIMITS:
        try:
            text = (root / file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < _UNLIMITED else None  # v2 says "max"
    return None


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes of this container's cgroup the kernel has killed for memory; 0 where unknown.

    With cgroup v1 the kernel kills one rank, not the container, so the pod's status never says OOMKilled.
    """
    for counter in OOM_COUNTERS:
        try:
            lines = (root / counter).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.isdigit():
                return int(value)
    return 0


def usable_processors(root: Path = Path("/")) -> int:
    """Return the CPU limit of the container's cgroup, rounded up; without a limit the processors it may run on."""
    allowed = len(os.sched_getaffinity(0))
    limit = _cpu_limit_v2(root / "sys/fs/cgroup/cpu.max") or _cpu_limit_v1(root / "sys/fs/cgroup/cpu")
    return max(1, min(allowed, math.ceil(limit))) if limit else allowed


def _cpu_limit_v2(path: Path) -> float | None:
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max", no limit
        return None


def _cpu_limit_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
