"""When a server is ready, alive, beyond hope."""

import pytest

from lamplighter_runtime.serving.readiness import (
    DEATH_WINDOW,
    DEATHS,
    FAILED_LOADS,
    FAILED_PREDICTIONS,
    LAST_WORDS,
    Readiness,
)

ONE, BOTH = frozenset({"9000"}), frozenset({"9000", "9001"})


def readiness(workers: int = 2, warmup: int = 1) -> Readiness:
    made = Readiness(workers, warmup, start_timeout=120, silence_timeout=60)
    made.server_started(now=0)
    return made


def warm(made: Readiness, *workers: str) -> Readiness:
    for worker in workers or BOTH:
        made.batch_received(worker)
    made.example_predicted()
    return made


def ready() -> Readiness:
    made = readiness()
    made.workers_seen(BOTH, now=1)
    return warm(made)


def lose(made: Readiness, now: float, *, out_of_memory: bool = False) -> None:
    made.workers_seen(ONE, now, out_of_memory=out_of_memory)


def recover(made: Readiness, now: float) -> None:
    made.workers_seen(BOTH, now)
    warm(made, "9001")


def test_it_takes_all_workers_and_a_good_prediction_of_each():
    made = readiness()
    assert made.verdict().reason == "Starting"
    made.workers_seen(ONE, now=1)
    assert (made.verdict().reason, made.wants_prediction) == ("WorkersLoading", False)
    made.workers_seen(BOTH, now=2)
    assert (made.verdict().reason, made.wants_prediction) == ("Predicting", True)
    warm(made, "9000")
    assert (made.verdict().message, made.wants_prediction) == ("1 of 2 workers have predicted the example", True)
    warm(made, "9001")
    assert made.verdict().ready
    assert not made.wants_prediction


def test_each_worker_predicts_as_often_as_is_asked_for():
    made = readiness(warmup=2)
    made.workers_seen(BOTH, now=1)
    assert not warm(made).verdict().ready
    assert warm(made).verdict().ready


def test_a_warm_up_that_does_not_reach_every_worker_ends_all_the_same():
    made = readiness()
    made.workers_seen(BOTH, now=1)
    warm(made, "9000").warm_enough()
    assert made.verdict().ready


def test_no_end_of_the_warm_up_makes_up_for_a_model_that_never_predicted():
    made = readiness()
    made.workers_seen(BOTH, now=1)
    made.warm_enough()
    assert not made.verdict().ready


def test_without_an_example_the_workers_are_enough():
    made = readiness(warmup=0)
    made.workers_seen(BOTH, now=1)
    assert made.verdict().ready


def test_a_worker_that_dies_takes_readiness_away_until_the_new_one_is_warm():
    made = ready()
    lose(made, now=2)
    assert (made.verdict().ready, made.verdict().reason) == (False, "WorkerFailed")
    made.workers_seen(BOTH, now=3)
    assert (made.verdict().ready, made.wants_prediction) == (False, True)
    warm(made, "9001")
    assert made.verdict().ready
    assert made.terminal_verdict(now=3) is None


def test_an_error_of_a_later_warm_up_is_not_held_against_the_model():
    made = ready()
    lose(made, now=2)
    made.workers_seen(BOTH, now=3)
    for _ in range(FAILED_PREDICTIONS + 1):
        made.example_predicted("503: the queue is full")
    assert made.terminal_verdict(now=4) is None


@pytest.mark.parametrize(
    ("printed_at", "said"), [(99, "ValueError: boom"), (100 - LAST_WORDS - 1, "it printed no traceback")]
)
def test_a_dead_worker_is_reported_with_its_last_traceback_and_no_older_one(printed_at: float, said: str):
    made = ready()
    made.handler_raised("9001", "ValueError: boom", now=printed_at)
    made.handler_raised("9000", "KeyError: 'of another worker'", now=100)
    lose(made, now=100)
    assert f"1 of 2 workers are ready; a worker died and is being restarted: {said}" in made.verdict().message


def test_workers_that_die_again_and_again_end_the_server():
    made = ready()
    for death in range(DEATHS):
        assert made.terminal_verdict(now=100 * death) is None
        made.handler_raised("9001", "SystemExit: 3", now=100 * death)
        lose(made, now=100 * death)
        verdict = made.terminal_verdict(now=100 * death)
        recover(made, now=100 * death + 50)
    assert verdict is not None
    assert (verdict.reason, "the last: SystemExit: 3" in verdict.message) == ("WorkerFailed", True)


def test_deaths_far_apart_are_each_mended():
    made = ready()
    for death in range(DEATHS * 2):
        now = death * DEATH_WINDOW
        lose(made, now)
        assert made.terminal_verdict(now) is None
        recover(made, now + 5)


def test_workers_that_are_killed_for_lack_of_memory_are_reported_as_such():
    made = ready()
    for death in range(DEATHS):
        lose(made, now=death * 10, out_of_memory=True)
        verdict = made.terminal_verdict(now=death * 10)
        recover(made, now=death * 10 + 5)
    assert verdict is not None
    assert (verdict.reason, "ran out of memory" in verdict.message) == ("OOMKilled", True)


@pytest.mark.parametrize("log_is_first", [True, False])
def test_workers_stopped_because_requests_took_too_long_do_not_end_the_pod(log_is_first: bool):
    made = ready()
    for death in range(DEATHS * 2):
        now = 20.0 * death + 20
        if log_is_first:
            give_up(made, now)
        lose(made, now)
        if not log_is_first:
            give_up(made, now)
        assert made.terminal_verdict(now) is None
        assert "it did not answer within spec.runtime.responseTimeout" in made.verdict().message
        recover(made, now + 5)


def give_up(made: Readiness, now: float) -> None:
    """What TorchServe logs about a worker that does not answer."""
    made.not_answered("9001", now)
    made.load_failed("9001", now)


def test_a_load_that_fails_right_after_a_death_is_no_request_that_took_too_long():
    made = ready()
    lose(made, now=20)
    for _ in range(FAILED_LOADS):
        made.handler_raised("9001", "RuntimeError: the weights are gone", now=21)
        made.load_failed("9001", now=21)
    verdict = made.terminal_verdict(now=21)
    assert verdict is not None
    assert verdict.message.endswith("could not load the model: RuntimeError: the weights are gone")


def test_loads_that_take_too_long_end_the_server():
    made = readiness()
    made.workers_seen(frozenset(), now=1)
    for _ in range(FAILED_LOADS):
        assert made.terminal_verdict(now=1) is None
        give_up(made, now=1)
    assert made.terminal_verdict(now=1) is not None


def test_a_handler_that_raises_is_quoted():
    made = readiness()
    made.workers_seen(frozenset(), now=1)
    made.handler_raised("9000", "ValueError: the weights are of another network", now=1)
    made.load_failed("9000", now=1)
    verdict = made.verdict()
    assert verdict.reason == "WorkerFailed"
    assert verdict.message.endswith("could not load the model: ValueError: the weights are of another network")


def test_loads_that_fail_again_and_again_end_the_server():
    made = readiness()
    made.workers_seen(frozenset(), now=1)
    for _ in range(FAILED_LOADS):
        assert made.terminal_verdict(now=1) is None
        made.load_failed("9000", now=1)
    verdict = made.terminal_verdict(now=1)
    assert verdict is not None
    assert verdict.reason == "WorkerFailed"


def test_a_load_that_succeeds_clears_the_earlier_failures():
    made = readiness()
    for _ in range(FAILED_LOADS * 2):
        made.load_failed("9000", now=1)
        made.workers_seen(BOTH, now=2)
    assert made.terminal_verdict(now=2) is None


def test_wrong_answers_to_the_example_end_the_server():
    made = readiness()
    made.workers_seen(BOTH, now=1)
    for _ in range(FAILED_PREDICTIONS):
        assert made.terminal_verdict(now=1) is None
        made.handler_raised("9000", "KeyError: 'instances'", now=1)
        made.example_predicted("503: Prediction failed")
    verdict = made.terminal_verdict(now=1)
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
        made.workers_seen(frozenset(), now=answered)
    assert made.alive(now) is alive
