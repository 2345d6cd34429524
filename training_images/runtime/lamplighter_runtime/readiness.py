"""When a model server counts as ready, alive, or beyond hope. It knows no server and no clock of its own."""

import threading
from dataclasses import dataclass

FAILED_LOADS = 3  # worker deaths before it could serve, in a row
FAILED_PREDICTIONS = 3  # wrong answers to the packaged example


@dataclass(frozen=True)
class Verdict:
    """Whether requests may come, with a reason for programs and a sentence for people."""

    ready: bool
    reason: str
    message: str


class Readiness:
    """Collects what is observed, from several threads, and gives verdicts."""

    def __init__(self, workers: int, has_example: bool, start_timeout: float, silence_timeout: float) -> None:
        """Expect `workers`; timeouts in seconds: until the first answer, and between two answers."""
        self._lock = threading.Lock()
        self._expected = workers
        self._ready_workers = 0
        self._predicted = not has_example
        self._start_timeout, self._silence_timeout = start_timeout, silence_timeout
        self._started: float | None = None
        self._answered: float | None = None
        self._failed_loads = 0
        self._failed_predictions = 0
        self._prediction_error = ""
        self._handler_error = ""
        self._draining = False

    def server_started(self, now: float) -> None:
        """The server's process was started."""
        with self._lock:
            self._started = now

    def workers_seen(self, ready: int, now: float) -> None:
        """The server answered: so many of its workers are ready."""
        with self._lock:
            self._answered = now
            self._ready_workers = ready
            if ready >= self._expected:
                self._failed_loads = 0

    def load_failed(self) -> None:
        """A worker ended before it was ready."""
        with self._lock:
            self._failed_loads += 1
            self._ready_workers = min(self._ready_workers, self._expected - 1)

    def handler_raised(self, text: str) -> None:
        """The user's code printed a traceback that ends in `text`."""
        with self._lock:
            self._handler_error = text

    def example_predicted(self, error: str = "") -> None:
        """The packaged example was answered: well, or with `error`."""
        with self._lock:
            self._predicted = not error
            self._failed_predictions += bool(error)
            self._prediction_error = error

    def drain(self) -> None:
        """No new requests, please."""
        with self._lock:
            self._draining = True

    @property
    def wants_prediction(self) -> bool:
        """True when all workers are ready and the example is still to be predicted."""
        with self._lock:
            return self._ready_workers >= self._expected and not self._predicted

    def verdict(self) -> Verdict:
        """Tell whether requests may come."""
        with self._lock:
            if self._draining:
                return Verdict(False, "Draining", "the pod is stopping and finishes the requests that it has")
            if self._answered is None:
                return Verdict(False, "Starting", "TorchServe is starting")
            if self._ready_workers < self._expected:
                return self._workers_missing()
            if not self._predicted:
                return self._not_predicted()
            return Verdict(True, "Ready", f"{self._ready_workers} of {self._expected} workers are ready")

    def _workers_missing(self) -> Verdict:
        count = f"{self._ready_workers} of {self._expected} workers are ready"
        if self._failed_loads:
            cause = self._handler_error or "it printed no traceback; see the container's log"
            return Verdict(False, "WorkerFailed", f"{count}; a worker could not load the model: {cause}")
        return Verdict(False, "WorkersLoading", count)

    def _not_predicted(self) -> Verdict:
        if not self._prediction_error:
            return Verdict(False, "Predicting", "the packaged example has not been answered yet")
        cause = f" ({self._handler_error})" if self._handler_error else ""
        sentence = f"the packaged example was answered with {self._prediction_error}{cause}"
        return Verdict(False, "PredictionFailed", sentence)

    def hopeless(self) -> Verdict | None:
        """Return the verdict when trying again is no use, else None."""
        with self._lock:
            if self._failed_loads >= FAILED_LOADS and self._ready_workers < self._expected:
                return self._workers_missing()
            if self._failed_predictions >= FAILED_PREDICTIONS and not self._predicted:
                return self._not_predicted()
            return None

    def alive(self, now: float) -> bool:
        """False when the server is stuck: it never answered, or not for a long time."""
        with self._lock:
            if self._draining:
                return True
            if self._answered is not None:
                return now - self._answered <= self._silence_timeout
            return self._started is None or now - self._started <= self._start_timeout
