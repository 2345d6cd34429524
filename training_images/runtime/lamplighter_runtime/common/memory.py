"""How much memory this container may use, and whether the kernel killed a process of it for want of more."""

from pathlib import Path

# cgroup v2, then v1: both count kills as a line `oom_kill <n>`.
COUNTERS = ("sys/fs/cgroup/memory.events", "sys/fs/cgroup/memory/memory.oom_control")
LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
_UNLIMITED = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63


def limit(root: Path = Path("/")) -> int | None:
    """Return the bytes that the container may use; None where there is no limit or none can be read."""
    for file in LIMITS:
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
    for counter in COUNTERS:
        try:
            lines = (root / counter).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.isdigit():
                return int(value)
    return 0
