"""The pauses between attempts grow to a limit, heed the API server, and end when there is no hope."""

import pytest

from lamplighter.engine.api import ApiError
from lamplighter.informer import Patience

LOST = ApiError(0, "ClientConnectionError", "connection refused")
GONE = ApiError(410, "Expired", "too old resource version")
FORBIDDEN = ApiError(403, "Forbidden", "no")


def waits(patience: Patience, *errors: ApiError | None) -> list[float]:
    return [patience.wait("pods", error) for error in errors]


def test_each_failure_in_a_row_is_followed_by_a_longer_pause_up_to_a_limit() -> None:
    pauses = waits(Patience(first=1, longest=10), *[LOST] * 8)
    for pause, most in zip(pauses, [1, 2, 4, 8, 10, 10, 10, 10], strict=True):
        assert most / 2 <= pause <= most


def test_not_all_informers_try_again_at_the_same_moment() -> None:
    assert len({Patience().wait("pods", LOST) for _ in range(20)}) > 10


def test_the_api_server_may_ask_for_a_longer_pause() -> None:
    assert waits(Patience(), ApiError(429, "TooManyRequests", "busy", retry_after=30.0)) == [30.0]


@pytest.mark.parametrize("end", [None, GONE], ids=["its time was over", "its history is gone"])
def test_a_watch_that_worked_is_followed_by_the_next_at_once(end: ApiError | None) -> None:
    patience = Patience()
    waits(patience, LOST, LOST, LOST)
    patience.works()
    assert waits(patience, end) == [0.1]


@pytest.mark.parametrize("end", [None, GONE], ids=["its time was over", "its history is gone"])
def test_a_watch_that_ends_again_and_again_before_it_works_is_slowed_down(end: ApiError | None) -> None:
    assert waits(Patience(first=1, longest=10), *[end] * 5)[-1] >= 5


def test_only_refusals_end_the_patience() -> None:
    patience = Patience(refusals=3)
    waits(patience, FORBIDDEN, FORBIDDEN, LOST, FORBIDDEN, FORBIDDEN, *[LOST] * 100, FORBIDDEN, FORBIDDEN)
    with pytest.raises(ApiError, match="403 Forbidden"):
        patience.wait("pods", FORBIDDEN)


def test_a_token_that_was_renewed_is_read_before_the_patience_ends() -> None:
    assert sum(waits(Patience(), *[ApiError(401, "Unauthorized", "expired")] * 17)) > 60


def test_an_outage_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        waits(Patience(), *[LOST] * 30)
    assert len(caplog.records) == 3
