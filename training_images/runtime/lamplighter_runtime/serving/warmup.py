"""Warming up a model server: every worker predicts the packaged example before the first request arrives.

TorchServe gives a request to whichever worker is free, so a round holds as many requests at a time as all workers
together take, and the log tells which of them got some (Readiness counts that).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lamplighter_runtime.serving.readiness import Readiness

MOST_AT_A_TIME = 128  # requests; a warm-up need not fill the largest batches
SPARE_ROUNDS = 8  # beyond the wanted predictions per worker, in case one worker takes the share of two
LONGEST = 120.0  # seconds after which no further round begins
LOG_DELAY = 0.2  # seconds that TorchServe's log may lag behind its answers


class WarmUp:
    """Predicts the example in a thread of its own while workers need it."""

    def __init__(self, readiness: Readiness, predict: Callable[[], str], at_a_time: int, rounds: int) -> None:
        """`predict` sends the example once and returns an error or an empty text, `rounds` times per worker."""
        self._readiness, self._predict = readiness, predict
        self._at_a_time = min(at_a_time, MOST_AT_A_TIME)
        self._rounds = rounds + SPARE_ROUNDS
        self._thread: threading.Thread | None = None

    def proceed(self) -> None:
        """Begin a warm-up if one is needed and none is running; returns immediately."""
        if self._readiness.wants_prediction and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        deadline = time.monotonic() + LONGEST
        for _ in range(self._rounds):
            error = self._round()
            time.sleep(LOG_DELAY)
            self._readiness.example_predicted(error)
            if not self._readiness.wants_prediction:
                return
            if error and not self._readiness.proved:
                return  # the next observation tries again, and Readiness counts
            if time.monotonic() > deadline:
                break
        self._readiness.warm_enough()

    def _round(self) -> str:
        """Return the first error of a round, or an empty text; one request is enough until the first good answer."""
        count = self._at_a_time if self._readiness.proved else 1
        with ThreadPoolExecutor(count) as pool:
            return next((error for error in pool.map(lambda _: self._predict(), range(count)) if error), "")
