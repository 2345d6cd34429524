"""The pod's stop signals, and how signals show in exit codes and messages."""

import signal
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Remembers the first stop signal that this process received, and passes every one on to listeners."""

    def __init__(self) -> None:
        """No signal yet; listen() begins to take them."""
        self.signal: int | None = None
        self._listeners: list[Callable[[int], None]] = []

    def listen(self) -> None:
        """Take over the stop signals of this process (main thread only)."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._take)

    def notify(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each stop signal, and immediately if one has already arrived."""
        self._listeners.append(listener)
        if self.signal is not None:
            listener(self.signal)

    def __call__(self) -> bool:
        """Whether a stop signal has arrived."""
        return self.signal is not None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number
        for listener in self._listeners:
            listener(number)


def exit_status(code: int) -> int:
    """Return the shell's exit status for a Popen return code: 128 + n for a child that signal n terminated."""
    return 128 - code if code < 0 else code


def signal_name(number: int) -> str:
    """Return the signal's name, SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals between SIGRTMIN and SIGRTMAX have none
        return f"signal {number}"
