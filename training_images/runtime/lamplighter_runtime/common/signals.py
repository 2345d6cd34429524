"""Running one child process in the foreground and passing the pod's stop signals on to it."""

import signal
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Remembers the first stop signal that this process got, and tells listeners of each."""

    def __init__(self) -> None:
        """Nothing asked yet; listen() begins."""
        self.signal: int | None = None
        self._listeners: list[Callable[[int], None]] = []

    def listen(self) -> None:
        """Take over the stop signals of this process (main thread only)."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._take)

    def notify(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each stop signal; at once when one has come already."""
        self._listeners.append(listener)
        if self.signal is not None:
            listener(self.signal)

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal is not None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number
        for listener in self._listeners:
            listener(number)


def exit_status(code: int) -> int:
    """Return the shell's number for a Popen return code: 128 + n for a child that signal n ended."""
    return 128 - code if code < 0 else code


def signal_name(number: int) -> str:
    """Return the signal's name, SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals between SIGRTMIN and SIGRTMAX have none
        return f"signal {number}"
