"""Detecting hangs: a deadlocked collective never ends on its own, but its ranks stop giving signs of life."""

import signal
import threading
import time
from collections.abc import Callable, Mapping

from lamplighter_runtime.common.event_socket import STACKS_SIGNAL
from lamplighter_runtime.launcher import processes
from lamplighter_runtime.launcher.progress import Progress, RankState

STACKS_TIME = 3.0  # seconds that the ranks get to print their stacks


class Watchdog(threading.Thread):
    """Kills the ranks when one of them has been silent for too long after its first sign of life."""

    def __init__(self, timeout: float, progress: Progress, torchrun_pid: int, stopped: Callable[[], bool]) -> None:
        """`timeout` in seconds; once `stopped` returns True, nothing hangs."""
        super().__init__(daemon=True, name="watchdog")
        self._timeout, self._progress, self._torchrun_pid, self._stopped = timeout, progress, torchrun_pid, stopped
        self._ended = threading.Event()
        self.sentence: str | None = None  # what was detected, once the ranks are being killed for it
        self.rank: int | None = None

    def run(self) -> None:
        """Watch until close() is called or a rank hangs."""
        while not self._ended.wait(min(5.0, self._timeout / 4)):
            found = silent(self._progress.ranks(), time.monotonic(), self._timeout)
            if not found or self._stopped():
                continue
            alive = processes.ranks(self._torchrun_pid)
            # A rank that has exited is silent, too.
            found = {rank: since for rank, since in found.items() if rank in alive}
            if found:
                self._end(found, alive)
                return

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self.join(timeout=STACKS_TIME + 2)

    def _end(self, found: Mapping[int, float], alive: Mapping[int, int]) -> None:
        self.rank = min(found)
        states = self._progress.ranks()
        names = ", ".join(map(str, sorted(found)))
        at = states[self.rank].step if self.rank in states else None
        self.sentence = (
            f"no sign of life from rank {names} for {max(found.values()):.0f} s"
            f"{f' after step {at}' if at is not None else ''}; the stacks of the ranks are in the log"
        )
        for rank, process in alive.items():
            if rank in states and states[rank].stacks:
                processes.send(process, STACKS_SIGNAL)
        self._ended.wait(STACKS_TIME)
        # torchrun first: it might restart the ranks.
        processes.send(self._torchrun_pid, signal.SIGKILL)
        for process in alive.values():
            processes.send_group(process, signal.SIGKILL)


def silent(ranks: Mapping[int, RankState], now: float, timeout: float) -> dict[int, float]:
    """Return the ranks that have been silent for at least `timeout` seconds, and for how long."""
    return {rank: now - state.seen for rank, state in ranks.items() if now - state.seen >= timeout}
