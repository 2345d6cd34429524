"""What is a report, and what is not."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders.objects import NOW, at, later
from tests.unit.progress.scenes import a_report

from lamplighter.api.progress import MAX_METRICS, METRIC_NAME
from lamplighter.core.report import Measured, ProgressReport
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.report import CLOCK_SKEW, last_sign_of_life, parse
from lamplighter_runtime.common import metrics_text

BORN = later(-3600)


def kept(body: bytes) -> ProgressReport:
    return parse(body).kept("digits-1-1-0-x7k2p", "train", NOW, NOW)


def test_a_full_report_is_kept_as_it_was_sent() -> None:
    sent = {
        "step": 120,
        "total": 1000,
        "metrics": {"loss": 0.41, "val/acc.top-5": 1, "grad": "nan", "lr": "-inf"},
        "samplesPerSecond": 532.1,
        "secondsPerStep": 0.2,
        "checkpointStep": 100,
    }
    said = Measured(120, 1000, sent["metrics"], 532.1, 0.2, 100, at())
    assert kept(a_report(**sent)) == ProgressReport(1, "train", 1, said, "digits-1-1-0-x7k2p", at())


def test_the_smallest_report_says_nothing_that_it_does_not_know() -> None:
    assert kept(a_report()).measured == Measured(heartbeat=at())


def test_what_a_newer_image_says_besides_is_dropped() -> None:
    assert kept(a_report(loss_scale=3)) == kept(a_report())


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"run": 0}, "run"),
        ({"run": "1"}, "run"),
        ({"run": True}, "run"),
        ({"attempt": 2**31}, "attempt"),
        ({"attempt": ...}, "attempt"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"sequence": 1.5}, "sequence"),
        ({"step": -1}, "step"),
        ({"step": 2**53}, "step"),
        ({"step": 1e3}, "step"),
        ({"total": "1000"}, "total"),
        ({"metrics": []}, "metrics"),
        ({"metrics": {"": 1}}, "metrics"),
        ({"metrics": {"loss\n": 1}}, "metrics"),
        ({"metrics": {"1st": 1}}, "metrics"),
        ({"metrics": {"a" * 64: 1}}, "metrics"),
        ({"metrics": {"loss": True}}, "metrics.loss"),
        ({"metrics": {"loss": None}}, "metrics.loss"),
        ({"metrics": {"loss": "NaN"}}, "metrics.loss"),
        ({"metrics": {"loss": float("nan")}}, "metrics.loss"),
        ({"metrics": {"loss": [0.1]}}, "metrics.loss"),
        ({"metrics": {f"m{number}": number for number in range(MAX_METRICS + 1)}}, "metrics"),
        ({"samplesPerSecond": -1.0}, "samplesPerSecond"),
        ({"secondsPerStep": float("inf")}, "secondsPerStep"),
        ({"checkpointStep": "100"}, "checkpointStep"),
        ({"heartbeat": 1700000000}, "heartbeat"),
        ({"heartbeat": "1700000000"}, "heartbeat"),
        ({"heartbeat": "2026-11-21T12:00:00"}, "heartbeat"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(changed: dict[str, Any], where: str) -> None:
    fields = {key: None if value is ... else value for key, value in changed.items()}
    with pytest.raises(Refusal, match=f"the report is malformed: {where}") as refused:
        parse(a_report(**fields))
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"1", b"\xff", b"[" * 10_000, b'{"run": 1} x'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(body)
    assert (refused.value.status, len(refused.value.message) <= 500) == (400, True)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda of: st.lists(of)))
def test_whatever_a_field_holds_it_is_taken_or_refused(value: Any) -> None:
    for name in ("run", "step", "metrics", "heartbeat", "samplesPerSecond"):
        fields = {"run": 1, "attempt": 1, "sequence": 1, "heartbeat": at(), name: value}
        with contextlib.suppress(Refusal):
            parse(json.dumps(fields).encode(errors="surrogatepass"))


def test_a_clock_that_is_somewhat_ahead_is_taken_for_now() -> None:
    assert last_sign_of_life(parse(a_report(heartbeat=at(200))), BORN, NOW) == NOW
    assert last_sign_of_life(parse(a_report(heartbeat=at(-200))), BORN, NOW) == later(-200)


@pytest.mark.parametrize("moment", [NOW + CLOCK_SKEW + timedelta(seconds=1), BORN - CLOCK_SKEW - timedelta(seconds=1)])
def test_a_heartbeat_that_cannot_be_is_refused(moment: Any) -> None:
    with pytest.raises(Refusal, match="clock of the Node"):
        last_sign_of_life(parse(a_report(heartbeat=moment.isoformat())), BORN, NOW)


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refusal, match=r"2026-02-30.* is not a valid time"):
        last_sign_of_life(parse(a_report(heartbeat="2026-02-30T12:00:00Z")), BORN, NOW)


def test_the_launcher_takes_the_names_that_the_operator_takes_and_as_many_metrics() -> None:
    assert (metrics_text.NAME.pattern, metrics_text.LIMIT) == (METRIC_NAME, MAX_METRICS)
