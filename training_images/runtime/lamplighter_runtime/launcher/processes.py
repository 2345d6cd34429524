"""The ranks as processes: torchrun's children, found through /proc."""

import os
import signal
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def ranks(parent: int, proc: Path = PROC) -> dict[int, int]:
    """Return the process ids of torchrun's running ranks, by global rank; `parent` is torchrun's process id."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit() and _parent(folder) == parent and (rank := _rank(folder)) is not None:
            found[rank] = int(folder.name)
    return found


def _parent(folder: Path) -> int | None:
    """Return the parent's id; None for a process that is gone or a zombie."""
    try:
        # The name may contain spaces and parentheses; what follows it does not.
        state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in {"Z", "X"} else int(parent)


def _rank(folder: Path) -> int | None:
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        name, _, value = variable.partition(b"=")
        if name == b"RANK" and value.isdigit():
            return int(value)
    return None


def send(process: int, number: signal.Signals) -> None:
    """Send a signal to a process, which may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def send_group(process: int, number: signal.Signals) -> None:
    """Send a signal to a rank and all its descendants; torchrun gives each rank a process group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, number)
