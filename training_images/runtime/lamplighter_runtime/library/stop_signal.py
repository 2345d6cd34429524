"""SIGTERM in a training process: once the script asks for stop signals, they are remembered and do not end it."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


class StopSignal:
    """Remembers whether a stop signal came from outside the pod."""

    def __init__(self, pod_stops: Callable[[], bool]) -> None:
        """`pod_stops` tells whether the pod is being stopped: torchrun sends the same signal for its own reasons."""
        self.received = False
        self._pod_stops = pod_stops
        self._listening = False

    def listen(self) -> None:
        """Take over SIGTERM on the first call, which must come from the main thread."""
        if self._listening:
            return
        self._listening = True
        previous = signal.getsignal(signal.SIGTERM)

        def take(number: int, frame: FrameType | None) -> None:
            self.received = self._pod_stops()
            if callable(previous):
                previous(number, frame)
            elif not self.received:  # another rank has failed: there is no group left to agree with
                die()

        try:
            signal.signal(signal.SIGTERM, take)
        except ValueError:
            print(
                "lamplighter: should_stop() was first called outside the main thread, so it cannot see stop signals",
                file=sys.stderr,
            )


def die() -> None:
    """End this process by SIGTERM, as if the signal had never been handled."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
