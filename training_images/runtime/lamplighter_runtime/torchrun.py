"""How torchrun is called and what its output says: all that knows torchrun is here."""

import json
import re
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamplighter_runtime.tracebacks import TracebackFinder

ERROR_FILE_VARIABLE = "TORCHELASTIC_ERROR_FILE"
TAIL_LINES = 20

# torchrun's own log lines, `E1121 11:34:50.586000 23215 .../torch/distributed/elastic/...] failed (exitcode: 1) ...`.
_OWN_LINE = re.compile(r"^[IWE]\d{4} \S+ \d+ \S*torch/distributed/")
_CHILD_FAILED = re.compile(r"\] failed \(exitcode: (-?\d+)\) local_rank: \d+")
_ROOT_CAUSE = "Root Cause (first observed failure):"
_TABLE_RANK = re.compile(r"^\s+rank\s+: (\d+)")
_TABLE_EXIT = re.compile(r"^\s+exitcode\s+: (-?\d+)")
# How the collectives of PyTorch complain when another process of the group has gone.
_PEER_LOST = re.compile(
    r"gloo/\S+ .*(closed|reset) by peer|ncclRemoteError|remote process exited|DistNetworkError.*(closed|reset|broken)",
    re.IGNORECASE,
)


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs torchrun with this interpreter; it reads PET_* variables for the rest."""
    return [sys.executable, "-m", "torch.distributed.run", *arguments]


def multi_node_master(environ: Mapping[str, str]) -> str | None:
    """Return the host that all nodes meet at, or None where there is one node only."""
    nodes = environ.get("PET_NNODES", "1")
    return environ.get("PET_MASTER_ADDR") or None if nodes != "1" else None


def recorded_error(path: Path) -> str | None:
    """Return the message of torchrun's error file; ranks write one only where the script uses `@record`."""
    try:
        message = json.loads(path.read_text(encoding="utf-8"))["message"]
        text = message if isinstance(message, str) else message["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return text.splitlines()[0] if isinstance(text, str) and text.strip() else None


def tells_of_lost_peer(error: str) -> bool:
    """Whether an exception only follows from the end of another rank, whose pod knows the cause."""
    return bool(_PEER_LOST.search(error))


class FailureReader:
    """Reads the standard error of a torchrun and tells what ended the user's script."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._tracebacks = TracebackFinder()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._script_ended = False
        self._in_root_cause = False
        self._rank: int | None = None
        self._exit_code: int | None = None

    def feed(self, line: str) -> None:
        """Take one line of standard error."""
        if _OWN_LINE.match(line):
            if failed := _CHILD_FAILED.search(line):
                self._script_ended = True
                self._exit_code = int(failed.group(1))
            return
        if self._script_ended:
            self._read_table(line)
        else:
            self._read_script(line)

    def _read_script(self, line: str) -> None:
        # torchrun frames its advice on OMP_NUM_THREADS in asterisks; it says nothing about a failure.
        if line.strip() and not line.startswith(("*****", "Setting OMP_NUM_THREADS ")):
            self._tail.append(line.rstrip())
        self._tracebacks.feed(line)

    def _read_table(self, line: str) -> None:
        if line.startswith(_ROOT_CAUSE):
            self._in_root_cause = True
        if not self._in_root_cause:
            return
        if rank := _TABLE_RANK.match(line):
            self._rank = int(rank.group(1))
        if code := _TABLE_EXIT.match(line):
            self._exit_code = int(code.group(1))

    @property
    def tail(self) -> list[str]:
        """The last lines that the script wrote, without torchrun's own."""
        return list(self._tail)

    @property
    def exit_code(self) -> int | None:
        """Exit code of the rank that failed first, negative for a signal; None when torchrun named none."""
        return self._exit_code

    @property
    def cause(self) -> str | None:
        """The exception that ended the script, else None."""
        return self._tracebacks.cause(self._rank)
