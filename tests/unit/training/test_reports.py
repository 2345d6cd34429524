"""What ranks report, and how it reaches the status."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import Scene, at
from tests.unit.training.gangs import job, pod, running, runs

from lamplighter.api.training import TrainingStatus
from lamplighter.training import reports

REPORT = {
    "step": 120,
    "total": 1000,
    "metrics": {"loss": 0.4142145},
    "samplesPerSecond": 532.1,
    "secondsPerStep": 0.2,
    "checkpointStep": 100,
    "heartbeat": at(-1),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=80), inner, max_size=40),
    max_leaves=12,
)


def progress(scene: Scene) -> dict[str, Any]:
    """The progress in the status."""
    return dict(scene.run.get("progress", {}))


def told(**report: Any) -> dict[str, Any]:
    """What becomes of these fields of a report."""
    return reports.shown(reports.measured(report)).model_dump(by_alias=True, exclude_none=True, exclude={"metrics"})


def test_a_report_is_shown_as_people_read_it() -> None:
    scene = running().hearing(**REPORT)
    scene.act()
    assert progress(scene) == {
        "step": 120,
        "total": 1000,
        "steps": "120/1000",
        "metrics": {"loss": "0.414214"},
        "samplesPerSecond": "532.1",
        "eta": "2m56s",
        "checkpointStep": 100,
        "heartbeat": at(-1),
        "time": at(),
    }


def test_a_report_that_says_nothing_new_is_not_written() -> None:
    scene = running().hearing(**REPORT)
    scene.act()
    assert scene.after(100).waits() is None


def test_progress_alone_is_written_every_ten_seconds() -> None:
    scene = running().hearing(step=1)
    scene.act()
    assert scene.hearing(step=2).after(4).waits() == 6
    scene.hearing(step=3).after(9).act()
    assert progress(scene)["step"] == 1
    scene.after(10).act()
    assert (progress(scene)["step"], progress(scene)["time"]) == (3, at(10))


def test_progress_goes_along_with_any_other_change() -> None:
    scene = running().hearing(step=1)
    scene.act()
    scene.hearing(step=2).after(3).edit(ttlAfterFinished="1h").act()
    assert (progress(scene)["step"], progress(scene)["time"]) == (2, at(3))


def test_a_clock_that_was_set_back_does_not_hold_up_progress() -> None:
    scene = running().hearing(step=1)
    scene.act()
    assert scene.hearing(step=2).after(-3600).waits() == 10


@pytest.mark.parametrize(("run", "attempt"), [(1, 2), (2, 1), (0, 1)])
def test_a_report_of_another_attempt_is_ignored(run: int, attempt: int) -> None:
    assert running().hearing(attempt, run, step=7).waits() is None


def test_a_report_is_shown_when_its_attempt_is_the_current_one() -> None:
    scene = running().hearing(step=5).settle()
    scene.having(pod().running().disrupted("EvictionByEvictionAPI")).settle()
    runs(scene, attempt=2, since=20).after(20).hearing(2, step=1).settle()
    assert progress(scene)["step"] == 1


def test_until_the_next_attempt_reports_the_last_progress_stays() -> None:
    scene = running().hearing(step=5).settle()
    scene.having(pod().running().disrupted("EvictionByEvictionAPI")).settle()
    assert (scene.run["attempt"], progress(scene)["step"]) == (2, 5)


def test_the_last_words_of_an_attempt_say_how_far_it_came() -> None:
    scene = running().hearing(**REPORT).settle()
    end = {"reason": "Succeeded", "step": 1000, "total": 1000, "metrics": {"accuracy": 0.98}}
    scene.having(pod(0).succeeded(**end), pod(1).succeeded(), job().started().succeeded()).after(3).act()
    assert progress(scene)["steps"] == "1000/1000"
    assert progress(scene)["metrics"] == {"loss": "0.414214", "accuracy": "0.98"}
    assert "eta" not in progress(scene)
    assert scene.obj["status"]["history"][0]["metrics"] == progress(scene)["metrics"]


def test_the_last_report_counts_when_the_last_words_tell_nothing() -> None:
    scene = running().hearing(**REPORT).settle()
    scene.hearing(**{**REPORT, "step": 130}).after(1)
    scene.having(pod(0).failed(1, "ValueError: boom")).act()
    assert progress(scene)["step"] == 130


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234567, "0.123457"),
        (3, "3"),
        (1e30, "1e+30"),
        ("nan", "nan"),
        ("-inf", "-inf"),
        (math.nan, "nan"),
        (10**400, "inf"),
        (-(10**400), "-inf"),
        ("12", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
    ids=lambda value: str(value)[:8],
)
def test_numbers_are_told_with_six_digits(value: Any, text: str | None) -> None:
    assert reports.shown(reports.measured({"samplesPerSecond": value})).samples_per_second == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.6, "1m"), (752, "12m32s"), (3600, "1h"), (3605, "1h5s"), (183600, "2d3h")],
)
def test_durations_are_told_with_their_two_largest_parts(seconds: float, text: str) -> None:
    assert reports.duration(seconds) == text


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": "7"},
        {"step": -1},
        {"step": True},
        {"step": 2**60},
        {"checkpointStep": 1.5},
        {"samplesPerSecond": [1]},
        {"heartbeat": 5},
        {"heartbeat": "yesterday"},
        {"heartbeat": "2026-99-99T12:00:00Z"},
        {"heartbeat": "2026-11-21T12:00:00"},
        {"metrics": [1]},
        {"metrics": {"two words": 1, "": 2, "x" * 64: 3, "ok\n": 4}},
    ],
    ids=str,
)
def test_what_has_a_wrong_type_is_left_out(wrong: dict[str, Any]) -> None:
    assert told(**wrong) == {}
    assert reports.shown(reports.measured(wrong)).metrics == {}


@pytest.mark.parametrize(
    "seconds_per_step", [None, "1", True, math.inf, math.nan, -1, 10**400, 1e300], ids=lambda v: str(v)[:8]
)
def test_without_a_sound_pace_there_is_no_time_left(seconds_per_step: Any) -> None:
    assert "eta" not in told(step=1, total=1000, secondsPerStep=seconds_per_step)


def test_no_more_metrics_are_shown_than_the_api_takes() -> None:
    assert len(reports.shown(reports.measured({"metrics": {f"m{n}": n for n in range(100)}})).metrics) == 32


@settings(max_examples=40)
@given(
    report=st.dictionaries(st.sampled_from([*REPORT]), ANYTHING),
    last_words=st.dictionaries(st.sampled_from([*REPORT, "reason", "message", "tail"]), ANYTHING),
)
def test_no_report_can_make_a_status_that_the_api_refuses(report: dict[str, Any], last_words: dict[str, Any]) -> None:
    scene = running().hearing(**report)
    scene.act()
    scene.having(pod(0).told(1, **last_words)).act()
    TrainingStatus.model_validate(scene.obj["status"])
    json.dumps(scene.obj["status"], ensure_ascii=False, allow_nan=False).encode()
