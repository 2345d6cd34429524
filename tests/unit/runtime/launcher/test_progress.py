"""What the ranks say becomes one picture."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.launcher.progress import Progress


def report(step: int, time: float, rank: int = 0, samples: float = 0, **metrics: float) -> dict:
    return {
        "event": "report",
        "rank": rank,
        "stacks": True,
        "step": step,
        "total": 100,
        "samples": samples,
        "metrics": metrics,
        "time": time,
    }


def test_the_latest_counts_and_speeds_are_over_a_minute():
    progress = Progress()
    for second in range(200):
        progress.take(
            report(second if second < 100 else 100 + 2 * (second - 100), second, samples=10 * second, loss=1.0)
        )
    facts = progress.facts()
    assert (facts["step"], facts["total"], facts["metrics"]) == (298, 100, {"loss": 1.0})
    assert facts["secondsPerStep"] == 0.5
    assert facts["samplesPerSecond"] == 10


def test_what_cannot_be_known_yet_is_left_out():
    progress = Progress()
    assert progress.facts() == {}
    progress.take(report(1, 0.0))
    assert progress.facts() == {"step": 1, "total": 100}


def test_many_reports_a_second_do_not_fill_the_memory():
    progress = Progress()
    for number in range(10_000):
        progress.take(report(number, number / 1000))
    assert len(progress.ranks()[0].points) < 30
    assert progress.facts()["secondsPerStep"] == pytest.approx(0.001)


def test_a_number_that_json_does_not_know_travels_as_text():
    progress = Progress()
    progress.take(report(1, 0.0, loss=math.nan, rate=-math.inf))
    assert progress.facts()["metrics"] == {"loss": "nan", "rate": "-inf"}


def test_only_the_node_of_global_rank_0_reports():
    progress = Progress()
    progress.take(report(5, 0.0, rank=4))
    assert progress.report() is None
    assert progress.facts()["step"] == 5
    progress.take(report(6, 0.0, rank=0))
    said = progress.report()
    assert said is not None
    assert said["step"] == 6
    assert said["heartbeat"].endswith("Z")


def test_a_checkpoint_and_a_stop_are_remembered_until_the_ranks_restart():
    progress = Progress()
    progress.take({"event": "checkpoint", "rank": 0, "step": 40})
    progress.take({"event": "stop", "rank": 1})
    assert progress.facts() == {"checkpointStep": 40}
    assert progress.stopping
    progress.begin()
    assert progress.facts() == {}
    assert not progress.stopping


def test_a_printed_line_is_a_report():
    progress = Progress()
    progress.take_line(0, "step=10 loss=0.3 total=100")
    progress.take_line(0, "nothing to see")
    assert progress.facts() == {"step": 10, "total": 100, "metrics": {"loss": 0.3}}


@given(
    st.dictionaries(
        st.sampled_from(["event", "rank", "step", "total", "metrics", "samples", "time"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.sampled_from(["report", "x"])
        | st.dictionaries(st.text(), st.text()),
    )
)
def test_a_malformed_event_is_ignored(event: dict):
    Progress().take(event)
