"""Why a training failed: the cause, found in the output of its ranks and of torchrun."""

import re
import signal
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamplighter_runtime.common.signals import signal_name
from lamplighter_runtime.common.tracebacks import TracebackFinder
from lamplighter_runtime.launcher import torchrun

# Errors of CUDA, ROCm and the driver that name the device itself as broken, whatever the program did.
_GPU_FAILED = re.compile(
    r"uncorrectable (ECC|NVLink)|ECCUncorrectable|ECCNotCorrectable|fallen off the bus|GPU is lost|\bXid\b.{0,40}\d"
    r"|CUDA-capable device\(?s?\)? (is/)?are (all )?(busy or )?unavailable|DevicesUnavailable|hardware stack error"
    r"|Unable to determine the device handle|row.?remap\w* fail",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Cause:
    """What ended a rank: a sentence, the global rank and its exit code (negative for a signal), its last lines."""

    sentence: str
    code: int
    rank: int | None = None
    tail: Sequence[str] = ()

    @property
    def peer_lost(self) -> bool:
        """Whether it is only the consequence of another rank's end."""
        return torchrun.is_peer_loss(self.sentence)

    @property
    def hung(self) -> bool:
        """Whether a collective timed out waiting for another rank."""
        return torchrun.timeout_in(self.sentence) is not None

    @property
    def gpu_failed(self) -> bool:
        """Whether the error, or a library just before it, names the device as broken."""
        return bool(_GPU_FAILED.search(self.sentence)) or any(map(_GPU_FAILED.search, self.tail))


class RankOutput:
    """Reads the standard output and standard error of one rank."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._tail: deque[str] = deque(maxlen=torchrun.TAIL_LINES)
        self._tracebacks = TracebackFinder()
        self._timed_out: str | None = None
        self._lock = threading.Lock()

    def feed(self, line: str, errors: bool) -> None:
        """Read a line of standard output, or of standard error (`errors`)."""
        with self._lock:
            if line.strip():
                # A progress bar rewrites its line again and again; only its last state counts.
                self._tail.append(line.rstrip().rpartition("\r")[2])
            if errors:
                self._tracebacks.feed(line)
                self._timed_out = self._timed_out or torchrun.timeout_in(line)

    def uncaught(self, rank: int) -> str | None:
        """Return the exception that PyTorch marked as ending this rank; it does so only with a process group."""
        with self._lock:
            return next((raised.text for raised in self._tracebacks.found if raised.rank == rank), None)

    def cause(self, rank: int | None, code: int) -> Cause:
        """Return why this rank exited with `code`."""
        with self._lock:
            tail = list(self._tail)
            # An exception after a timeout is its consequence.
            said = self._timed_out or self._tracebacks.cause(rank) or _unexplained(code, tail)
            return Cause(said, code, rank, tail)


def _unexplained(code: int, tail: Sequence[str]) -> str:
    if code < 0:
        return f"a rank was terminated by {signal_name(-code)}"
    return tail[-1] if tail else f"the script exited with code {code} and wrote nothing to standard error"


class Outputs:
    """The output of all local ranks, and of torchrun itself."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._ranks: dict[int, RankOutput] = {}
        self.torchrun = torchrun.FailureReader()

    def begin(self) -> None:
        """Forget everything: the ranks are about to start, or to restart with other numbers."""
        self._ranks = {}
        self.torchrun.begin()

    def of(self, rank: int) -> RankOutput:
        """Return the reader of a global rank's output."""
        return self._ranks.setdefault(rank, RankOutput())

    def snapshot(self) -> dict[int, RankOutput]:
        """Return the readers of the ranks that run now."""
        return dict(self._ranks)

    def cause(self, code: int) -> Cause:
        """Return what ended the training; `code` is torchrun's own exit code.

        torchrun polls every 0.1 seconds, so the rank that it saw first may have failed second: a rank that failed on
        its own counts before one that lost a peer.
        """
        said = self.torchrun
        if not self._ranks:  # torchrun started none, or their output is mixed with its own
            ended = code if said.exit_code is None else said.exit_code
            return Cause(said.cause or _unexplained(ended, said.tail), ended, said.rank, said.tail)
        if not said.failures:
            return Cause(said.cause or f"torchrun exited with code {code}", code, None, said.tail)
        causes = [self.of(rank).cause(rank, ended) for rank, ended in said.failures.items()]
        own = [cause for cause in causes if not cause.peer_lost and cause.code != -signal.SIGTERM]
        return (own or causes)[0]


def own_error(outputs: Mapping[int, RankOutput], rank: int, code: int) -> Cause | None:
    """Return the user's own error on this node, else None; `rank` is the one that torchrun saw fail first."""
    failed = outputs[rank].cause(rank, code) if rank in outputs else None
    if failed is not None and code > 0 and not failed.peer_lost:
        return failed
    for other, output in outputs.items():
        cause = output.cause(other, 1)
        if output.uncaught(other) == cause.sentence and not cause.peer_lost:
            return cause
    return None
