"""A rank's events: sent to the launcher, or printed to standard output where there is none."""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from lamplighter_runtime.common import event_socket
from lamplighter_runtime.common.event_socket import STACKS_SIGNAL

PRINT_INTERVAL = 1.0  # seconds between two printed reports; the first and the last are always printed
ALIVE_INTERVAL = 1.0  # seconds between two signs of life that carry nothing else


class RankEvents:
    """Sends the events of this process. It never raises, and waits for the launcher a few seconds at most."""

    def __init__(self) -> None:
        """Connect to the launcher if there is one."""
        path = os.environ.get(event_socket.PATH_VARIABLE)
        self._sender = event_socket.Sender(path) if path else None
        self._rank = int(os.environ.get("RANK", "0"))
        self._stacks = _dump_stacks_on_signal() if self._sender else False
        self._alive = 0.0
        self._report: event_socket.Event | None = None  # the latest one, while the launcher's queue was full
        atexit.register(self._flush)

    def alive(self) -> None:
        """Send a sign of life."""
        now = time.monotonic()
        if self._sender is not None and now - self._alive >= ALIVE_INTERVAL:
            self._send("alive")

    def report(self, step: int | None, total: int | None, samples: float, metrics: Mapping[str, float]) -> None:
        """Report progress; `samples` counts those of all ranks since the start."""
        if self._sender is None:
            self._print(step, total, metrics)
            return
        facts: event_socket.Event = {
            "step": step,
            "total": total,
            "samples": samples,
            "metrics": metrics,
            "time": time.monotonic(),
        }
        self._report = None if self._send("report", **facts) else facts

    def _print(self, step: int | None, total: int | None, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self._rank != 0 or (self._alive and now - self._alive < PRINT_INTERVAL and (step is None or step != total)):
            return
        at = [] if step is None else [f"step {step}" + (f"/{total}" if total is not None else "")]
        if parts := [*at, *(f"{name} {value:.6g}" for name, value in metrics.items())]:
            self._alive = now
            print("  ".join(parts), file=sys.stdout, flush=True)

    def committed(self, step: int) -> None:
        """Report a complete checkpoint."""
        self._send("checkpoint", wait=1.0, step=step)

    def stopping(self) -> None:
        """Report that all ranks have agreed to stop."""
        self._send("stop", wait=5.0)

    @property
    def pod_stops(self) -> bool:
        """Whether the stop signal came from outside the pod; without a launcher every one does.

        torchrun sends the same signal to ranks that it is about to restart, and to those beside a failed rank.
        """
        return self._sender is None or Path(self._sender.path + event_socket.STOP_SUFFIX).exists()

    def _send(self, event: str, wait: float = 0.0, **facts: object) -> bool:
        if self._sender is None:
            return True
        self._alive = time.monotonic()
        return self._sender.send({"event": event, "rank": self._rank, "stacks": self._stacks, **facts}, wait)

    def _flush(self) -> None:
        if self._report is not None:
            self._send("report", wait=0.5, **self._report)


def _dump_stacks_on_signal() -> bool:
    """Print all stacks on STACKS_SIGNAL, unless the script handles that signal itself; return whether it does so."""
    if signal.getsignal(STACKS_SIGNAL) is not signal.SIG_DFL:
        return False
    with contextlib.suppress(AttributeError, OSError, RuntimeError, ValueError):  # standard error may be replaced
        faulthandler.register(STACKS_SIGNAL, all_threads=True, chain=False)
        return True
    return False
