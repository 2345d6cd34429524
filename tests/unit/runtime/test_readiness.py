"""When a server is ready, alive, beyond hope."""

import pytest

from lamplighter_runtime.readiness import FAILED_LOADS, FAILED_PREDICTIONS, Readiness


def readiness(workers: int = 2, has_example: bool = True) -> Readiness:
    made = Readiness(workers, has_example, start_timeout=120, silence_timeout=60)
    made.server_started(now=0)
    return made


def ready() -> Readiness:
    made = readiness()
    made.workers_seen(2, now=1)
    made.example_predicted()
    return made


def test_it_takes_all_workers_and_one_good_prediction():
    made = readiness()
    assert made.verdict().reason == "Starting"
    made.workers_seen(1, now=1)
    assert (made.verdict().reason, made.wants_prediction) == ("WorkersLoading", False)
    made.workers_seen(2, now=2)
    assert (made.verdict().reason, made.wants_prediction) == ("Predicting", True)
    made.example_predicted()
    assert made.verdict().ready
    assert not made.wants_prediction


def test_without_an_example_the_workers_are_enough():
    made = readiness(has_example=False)
    made.workers_seen(2, now=1)
    assert made.verdict().ready


def test_a_worker_that_dies_takes_readiness_away_and_its_return_gives_it_back_without_another_prediction():
    made = ready()
    made.workers_seen(1, now=2)
    assert made.verdict().message == "1 of 2 workers are ready"
    assert not made.verdict().ready
    made.workers_seen(2, now=3)
    assert made.verdict().ready


def test_a_handler_that_raises_is_quoted():
    made = readiness()
    made.workers_seen(0, now=1)
    made.handler_raised("ValueError: the weights are of another network")
    made.load_failed()
    verdict = made.verdict()
    assert verdict.reason == "WorkerFailed"
    assert verdict.message.endswith("could not load the model: ValueError: the weights are of another network")


def test_loads_that_fail_again_and_again_are_hopeless():
    made = readiness()
    made.workers_seen(0, now=1)
    for _ in range(FAILED_LOADS):
        assert made.hopeless() is None
        made.load_failed()
    verdict = made.hopeless()
    assert verdict is not None
    assert verdict.reason == "WorkerFailed"


def test_a_load_that_succeeds_clears_the_earlier_failures():
    made = ready()
    for _ in range(FAILED_LOADS * 2):
        made.load_failed()
        made.workers_seen(2, now=2)
    assert made.hopeless() is None


def test_wrong_answers_to_the_example_are_hopeless_in_the_end():
    made = readiness()
    made.workers_seen(2, now=1)
    for _ in range(FAILED_PREDICTIONS):
        assert made.hopeless() is None
        made.handler_raised("KeyError: 'instances'")
        made.example_predicted("503: Prediction failed")
    verdict = made.hopeless()
    assert verdict is not None
    assert verdict.reason == "PredictionFailed"
    assert verdict.message == "the packaged example was answered with 503: Prediction failed (KeyError: 'instances')"


def test_draining_is_not_ready_but_alive():
    made = ready()
    made.drain()
    assert made.verdict().reason == "Draining"
    assert made.alive(now=10_000)


@pytest.mark.parametrize(
    ("answered", "now", "alive"), [(None, 119, True), (None, 121, False), (100, 159, True), (100, 161, False)]
)
def test_a_server_that_does_not_answer_in_time_is_stuck(answered: int | None, now: int, alive: bool):
    made = readiness()
    if answered is not None:
        made.workers_seen(0, now=answered)
    assert made.alive(now) is alive
