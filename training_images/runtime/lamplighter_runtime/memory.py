"""Whether the kernel killed a process of this container for want of memory."""

from pathlib import Path

# cgroup v2, then v1: both count kills as a line `oom_kill <n>`.
COUNTERS = ("sys/fs/cgroup/memory.events", "sys/fs/cgroup/memory/memory.oom_control")


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
