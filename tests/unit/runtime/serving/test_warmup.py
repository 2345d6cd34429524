"""Every worker is warm before requests come."""

import threading
import time

import pytest

from lamplighter_runtime.serving import warmup
from lamplighter_runtime.serving.readiness import Readiness
from lamplighter_runtime.serving.warmup import SPARE_ROUNDS, WarmUp

WORKERS = frozenset({"9000", "9001", "9002"})


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "LOG_DELAY", 0)


class Server:
    """Gives each request to the next of its workers, or always to the first."""

    def __init__(self, readiness: Readiness, fair: bool = True, errors: int = 0) -> None:
        self.readiness, self.fair, self.errors = readiness, fair, errors
        self.asked, self.lock = 0, threading.Lock()

    def predict(self) -> str:
        with self.lock:
            worker = sorted(WORKERS)[self.asked % 3 if self.fair else 0]
            self.asked += 1
            self.readiness.batch_received(worker)
            return "503: Prediction failed" if self.asked <= self.errors else ""


def readiness(times: int = 1) -> Readiness:
    made = Readiness(3, times, start_timeout=120, silence_timeout=60)
    made.workers_seen(WORKERS, now=1)
    return made


def run(made: Readiness, server: Server, times: int = 1) -> None:
    warm_up = WarmUp(made, server.predict, at_a_time=3, rounds=times)
    warm_up.proceed()
    deadline = time.monotonic() + 10
    while any(thread.name.endswith("(_run)") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("times", [1, 5])
def test_every_worker_predicts_as_often_as_is_wanted(times: int):
    made = readiness(times)
    server = Server(made)
    run(made, server, times)
    assert made.verdict().ready
    assert server.asked >= 3 * times


def test_a_worker_that_never_gets_a_share_delays_the_pod_for_a_bounded_time_only():
    made = readiness()
    server = Server(made, fair=False)
    run(made, server)
    assert made.verdict().ready
    assert server.asked <= 3 * (1 + SPARE_ROUNDS)


def test_one_request_is_enough_to_tell_that_a_model_does_not_predict():
    made = readiness()
    server = Server(made, errors=100)
    run(made, server)
    assert server.asked == 1
    assert made.verdict().reason == "PredictionFailed"


def test_nothing_is_asked_of_a_server_whose_workers_are_not_ready():
    made = Readiness(3, 1, start_timeout=120, silence_timeout=60)
    server = Server(made)
    run(made, server)
    assert server.asked == 0
