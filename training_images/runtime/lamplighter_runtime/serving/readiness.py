"""When a model server is ready, alive, or failed for good. It has no server and no clock of its own."""

import threading
from collections import Counter, deque
from collections.abc import Set
from dataclasses import dataclass

FAILED_LOADS = 3  # worker deaths before it could serve, in a row
FAILED_PREDICTIONS = 3  # wrong answers to the packaged example
# Deaths of workers that had been ready, within DEATH_WINDOW: TorchServe replaces a worker, but a handler that kills its
# workers again and again needs a human. A worker that is stopped because a request took too long does not count.
DEATHS = 3
DEATH_WINDOW = 600.0  # seconds
_LATE = 2.0  # seconds that the log may lag behind the management API, or a line of it behind the previous one
LAST_WORDS = 10.0  # seconds: an exception that a worker printed this shortly before its death is the cause


@dataclass(frozen=True)
class Verdict:
    """Whether the pod may get requests, with a reason for programs and a sentence for people."""

    ready: bool
    reason: str
    message: str


class Readiness:
    """Collects observations from several threads and gives verdicts."""

    def __init__(self, workers: int, warmup: int, start_timeout: float, silence_timeout: float) -> None:
        """Expect `workers`, each of which must predict the example `warmup` times (0: there is no example).

        Timeouts in seconds: until the first answer, and between two answers.
        """
        self._lock = threading.Lock()
        self._expected, self._warmup = workers, warmup
        self._ready: Set[str] = frozenset()
        self._batches: Counter[str] = Counter()  # how many batches each worker has received since it became ready
        self._proved = self._warm = warmup == 0
        self._start_timeout, self._silence_timeout = start_timeout, silence_timeout
        self._started: float | None = None
        self._answered: float | None = None
        self._failed_loads = 0
        self._failed_predictions = 0
        self._prediction_error = ""
        self._errors: dict[str, tuple[float, str]] = {}  # by worker: when its last traceback ended, and its last line
        self._last_error = ""
        self._deaths: deque[float] = deque(maxlen=DEATHS)  # only those that count as the handler's fault
        self._lost = ("", 0.0)  # the worker that last died or failed to load, and when
        self._slow: dict[str, float] = {}  # by worker: when TorchServe gave up waiting for its answer
        self._killed: float | None = None  # when the kernel last killed a worker for lack of memory
        self._draining = False
        self._was_ready = False

    def server_started(self, now: float) -> None:
        """Record that the server's process was started."""
        with self._lock:
            self._started = now

    def workers_seen(self, ready: Set[str], now: float, *, out_of_memory: bool = False) -> None:
        """Record which workers the server says are ready; `out_of_memory`: the kernel has killed one of the others."""
        with self._lock:
            self._answered = now
            if out_of_memory:
                self._killed = now
            for worker in self._ready - ready:
                self._died(worker, now)
            self._ready = ready
            if len(ready) >= self._expected:
                self._failed_loads = 0

    def _died(self, worker: str, now: float) -> None:
        del self._batches[worker]
        self._warm = self._warmup == 0
        self._lost = (worker, now)
        if not self._was_slow():
            self._deaths.append(now)

    def not_answered(self, worker: str, now: float) -> None:
        """Record that TorchServe gave up waiting for a worker, which was predicting or loading the model."""
        with self._lock:
            if worker in self._ready:
                self._slow[worker] = now
            elif self._lost[0] == worker and now - self._lost[1] <= _LATE and self._deaths:
                self._slow[worker] = now  # its death was observed before its log line
                self._deaths.pop()

    def load_failed(self, worker: str, now: float) -> None:
        """Record that TorchServe gave up on a worker: it could not load the model, or its death is already known."""
        with self._lock:
            if worker in self._ready or now - self._slow.get(worker, -_LATE) < _LATE:
                return
            self._failed_loads += 1
            self._lost = (worker, now)

    def handler_raised(self, worker: str, text: str, now: float) -> None:
        """Record that the user's code printed a traceback that ends in `text`."""
        with self._lock:
            self._errors[worker] = (now, text)
            self._last_error = text

    def batch_received(self, worker: str) -> None:
        """Record that a worker was given requests to predict."""
        with self._lock:
            self._batches[worker] += 1

    def example_predicted(self, error: str = "") -> None:
        """Record that a round of the packaged example was answered, correctly or with `error`.

        An error counts only until the first good answer: later the example competes with clients for the queue.
        """
        with self._lock:
            if not error:
                self._proved = True
                self._warm = not self._cold()
            elif not self._proved:
                self._failed_predictions += 1
            self._prediction_error = error

    def warm_enough(self) -> None:
        """End the warm-up although not every worker got the example in the time that it may take."""
        with self._lock:
            self._warm = self._proved

    def drain(self) -> None:
        """Ask for no new requests. Takes no lock: a signal may arrive while this very thread holds it."""
        self._draining = True

    @property
    def wants_prediction(self) -> bool:
        """Whether all workers are ready and some have not predicted the example often enough."""
        with self._lock:
            return len(self._ready) >= self._expected and not self._warm and not self._draining

    @property
    def was_ready(self) -> bool:
        """Whether the pod was ever ready: a pod that never was gets no requests."""
        with self._lock:
            return self._was_ready

    @property
    def proved(self) -> bool:
        """Whether the example was ever answered correctly, or there is none."""
        with self._lock:
            return self._proved

    def _cold(self) -> int:
        return sum(self._batches[worker] < self._warmup for worker in self._ready)

    def verdict(self) -> Verdict:
        """Return whether the pod may get requests, and why."""
        with self._lock:
            if self._draining:
                return Verdict(False, "Draining", "the pod is stopping; it finishes the requests that it has accepted")
            if self._answered is None:
                return Verdict(False, "Starting", "TorchServe is starting")
            if len(self._ready) < self._expected:
                return self._workers_missing()
            if not self._warm:
                return self._not_predicted()
            self._was_ready = True
            return Verdict(True, "Ready", self._count())

    def _count(self) -> str:
        return f"{len(self._ready)} of {self._expected} workers are ready"

    def _workers_missing(self) -> Verdict:
        if self._failed_loads:
            what = f"{self._count()}; a worker could not load the model: {self._last_words()}"
            return Verdict(False, "WorkerFailed", what)
        if self._lost[0]:
            what = f"{self._count()}; a worker died and is being restarted: {self._last_words()}"
            return Verdict(False, "WorkerFailed", what)
        return Verdict(False, "WorkersLoading", self._count())

    def _was_slow(self) -> bool:
        worker, when = self._lost
        return when - self._slow.get(worker, -LAST_WORDS) < LAST_WORDS

    def _was_killed(self) -> bool:
        return self._killed is not None and abs(self._lost[1] - self._killed) < LAST_WORDS

    def _last_words(self) -> str:
        worker, when = self._lost
        if self._was_killed():
            return "the kernel killed it because the container ran out of memory"
        if self._was_slow():
            return "it did not answer within spec.runtime.responseTimeout"
        raised, text = self._errors.get(worker, (when, ""))
        if text and raised >= when - LAST_WORDS:
            return text
        return "it printed no traceback (an exit, a signal or a crash); see the container log"

    def _not_predicted(self) -> Verdict:
        if not self._prediction_error:
            warm = len(self._ready) - self._cold()
            return Verdict(False, "Predicting", f"{warm} of {self._expected} workers have predicted the example")
        cause = f" ({self._last_error})" if self._last_error else ""
        sentence = f"the packaged example was answered with {self._prediction_error}{cause}"
        return Verdict(False, "PredictionFailed", sentence)

    def terminal_verdict(self, now: float) -> Verdict | None:
        """Return the verdict when trying again is pointless, else None."""
        with self._lock:
            if self._failed_loads >= FAILED_LOADS and len(self._ready) < self._expected:
                return self._workers_missing()
            if len(self._deaths) == DEATHS and now - self._deaths[0] <= DEATH_WINDOW:
                return self._dying()
            if self._failed_predictions >= FAILED_PREDICTIONS and not self._proved:
                return self._not_predicted()
            return None

    def _dying(self) -> Verdict:
        minutes = f"{DEATHS} workers died within {DEATH_WINDOW / 60:.0f} minutes"
        if self._was_killed():
            sentence = f"{minutes}; the last: {self._last_words()}. Raise the memory limit, or lower runtime.workers"
            return Verdict(False, "OOMKilled", sentence)
        return Verdict(False, "WorkerFailed", f"{minutes} after they had been ready; the last: {self._last_words()}")

    def alive(self, now: float) -> bool:
        """Return False when the server is stuck: it never answered, or has not answered for too long."""
        with self._lock:
            if self._draining:
                return True
            if self._answered is not None:
                return now - self._answered <= self._silence_timeout
            return self._started is None or now - self._started <= self._start_timeout
