"""What processes and the machine use, from /proc."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.programs.bench.figures import rounded

_TICKS = os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mib(pid: int) -> float:
    """The most resident memory that it has ever had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10


def cpu_s(pid: int) -> float:
    """Seconds of CPU that all threads of a process have used so far, in user and in kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine_s() -> tuple[float, float]:
    """Seconds of CPU so far that anybody on this machine has used, and that its host withheld (steal)."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS, steal / _TICKS


@dataclass(frozen=True)
class Usage:
    """CPU so far: by process, by the whole machine, and withheld by its host; seconds. ``at`` is the moment."""

    at: float
    by_process: Mapping[str, float]
    machine: float
    steal: float


def usage(pids: Mapping[str, int], now: float) -> Usage:
    """The CPU that these processes and the machine have used until now."""
    machine, steal = machine_s()
    return Usage(now, {name: cpu_s(pid) for name, pid in pids.items()}, machine, steal)


def cpu_ms(before: Usage, after: Usage, count: int) -> dict[str, float]:
    """Milliseconds of CPU of each process between two readings, per object."""
    grown = {name: after.by_process[name] - used for name, used in before.by_process.items()}
    return {name: rounded(seconds * 1000 / count) for name, seconds in grown.items()}


def noise(before: Usage, after: Usage) -> dict[str, float]:
    """Cores that strangers used on average between two readings, and that the host withheld. 0 is a quiet machine."""
    ours = sum(after.by_process.values()) - sum(before.by_process.values())
    strangers = max(after.machine - before.machine - ours, 0.0)
    passed = after.at - before.at
    return {
        "strangers_cores": rounded(strangers / passed),
        "steal_cores": rounded((after.steal - before.steal) / passed),
    }
