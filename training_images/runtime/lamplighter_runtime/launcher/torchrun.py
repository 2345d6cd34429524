"""How torchrun is called, and what its output says."""

import json
import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lamplighter_runtime.common.tracebacks import TracebackFinder

ERROR_FILE_VARIABLE = "TORCHELASTIC_ERROR_FILE"
TAIL_LINES = 20

# torchrun's own log lines, `E1121 11:34:50.586000 23215 .../torch/distributed/elastic/...] failed (exitcode: 1) ...`.
_OWN_LINE = re.compile(r"^[IWE]\d{4} \S+ \d+ \S*torch/distributed/")
_CHILD_FAILED = re.compile(r"\] failed \(exitcode: (-?\d+)\) local_rank: (\d+)")
_ROOT_CAUSE = "Root Cause (first observed failure):"
_TABLE_RANK = re.compile(r"^\s+rank\s+: (\d+)")
_TABLE_EXIT = re.compile(r"^\s+exitcode\s+: (-?\d+)")
# What PyTorch's collectives raise when another process of the group is gone.
_PEER_LOST = re.compile(
    r"gloo/\S+ .*((closed|reset) by peer|broken pipe|connection refused|timed? ?out)"
    r"|ncclRemoteError|ncclSystemError|NCCL.*unhandled system error|NCCL communicator was aborted"
    r"|remote process exited|DistNetworkError.*(closed|reset|broken|failed to recv)"
    r"|Rendezvous(Connection|Closed)Error|CheckpointError: .* failed on rank",
    re.IGNORECASE,
)
# PyTorch's watchdog reports an NCCL collective that timed out, then aborts the rank without a traceback.
_TIMED_OUT = re.compile(r"(\[Rank \d+\] )?Watchdog caught collective operation timeout: .*")
# torchrun itself could not reach the rendezvous.
_UNREACHABLE = re.compile(r"RendezvousTimeoutError|DistStoreError|DistNetworkError.*timed out")


def command(arguments: Sequence[str], logs_specs: str | None = None) -> list[str]:
    """Return the command that runs torchrun with this interpreter; it reads PET_* variables for the rest."""
    plugin = [] if logs_specs is None else ["--logs-specs", logs_specs]
    return [sys.executable, "-m", "torch.distributed.run", *plugin, *arguments]


def takes_plugin(name: str) -> bool:
    """Whether torchrun finds our plugin: it needs PyTorch 2.3, and this package installed, not just on the path."""
    try:
        major, minor = (int(part) for part in metadata.version("torch").split(".")[:2])
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return (major, minor) >= (2, 3) and bool(metadata.entry_points(group="torchrun.logs_specs", name=name))


def recorded_error(path: Path) -> str | None:
    """Return the message in torchrun's error file, which ranks write only where the script uses `@record`."""
    try:
        message = json.loads(path.read_text(encoding="utf-8"))["message"]
        text = message if isinstance(message, str) else message["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return text.splitlines()[0] if isinstance(text, str) and text.strip() else None


def is_peer_loss(error: str) -> bool:
    """Whether an exception is only the consequence of another rank's end; that rank's pod knows the cause."""
    return bool(_PEER_LOST.search(error))


def timeout_in(line: str) -> str | None:
    """Return the part of a line that reports a collective's timeout, else None."""
    found = _TIMED_OUT.search(line)
    return found and found.group()


def is_rendezvous_failure(error: str) -> bool:
    """Whether torchrun's own exception says that it did not reach the other nodes."""
    return bool(_UNREACHABLE.search(error))


@dataclass(frozen=True)
class Failed:
    """A rank's failure as torchrun logs it, before it possibly restarts the ranks."""

    local_rank: int
    code: int  # negative for a signal


class FailureReader:
    """Reads torchrun's standard error to find out what ended the user's script.

    Without our plugin, the script's own lines are among it.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self.begin()

    def begin(self) -> None:
        """Forget everything: the ranks are about to start, or to restart."""
        self._tracebacks = TracebackFinder()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._timed_out: str | None = None
        self._script_ended = False
        self._in_root_cause = False
        self._rank: int | None = None
        self._exit_code: int | None = None
        self._failures: dict[int, int] = {}
        self._row: int | None = None

    def feed(self, line: str) -> Failed | None:
        """Read one line of standard error; return the failure of a rank that it reports, if any."""
        if _OWN_LINE.match(line):
            failed = _CHILD_FAILED.search(line)
            if failed is None:
                return None
            self._script_ended = True
            self._exit_code = int(failed.group(1))
            return Failed(int(failed.group(2)), self._exit_code)
        if self._script_ended:
            self._read_table(line)
        else:
            self._read_script(line)
        return None

    def _read_script(self, line: str) -> None:
        # torchrun prints advice on OMP_NUM_THREADS between asterisks, which says nothing about a failure.
        if line.strip() and not line.startswith(("*****", "Setting OMP_NUM_THREADS ")):
            self._tail.append(line.rstrip())
        self._tracebacks.feed(line)
        self._timed_out = self._timed_out or timeout_in(line)

    def _read_table(self, line: str) -> None:
        if line.startswith(_ROOT_CAUSE):
            self._in_root_cause = True
        if rank := _TABLE_RANK.match(line):
            self._row = int(rank.group(1))
        if (code := _TABLE_EXIT.match(line)) and self._row is not None:
            self._failures[self._row] = int(code.group(1))
            if self._in_root_cause:
                self._rank, self._exit_code = self._row, int(code.group(1))

    @property
    def tail(self) -> list[str]:
        """The last lines that the script wrote, without torchrun's own."""
        return list(self._tail)

    @property
    def exit_code(self) -> int | None:
        """Exit code of the rank that failed first, negative for a signal; None when torchrun named none."""
        return self._exit_code

    @property
    def rank(self) -> int | None:
        """Global rank that failed first; None when torchrun named none."""
        return self._rank

    @property
    def failures(self) -> dict[int, int]:
        """Exit codes of this node's failed ranks, by global rank; the one that torchrun saw first comes first."""
        if self._rank is None:
            return dict(self._failures)
        return {self._rank: self._failures[self._rank], **self._failures}

    @property
    def cause(self) -> str | None:
        """The exception, or the collective's timeout, that ended the script, else None."""
        return self._timed_out or self._tracebacks.cause(self._rank)
