"""What is read out of pods, whatever they hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import a_job, a_pod, a_training
from tests.builders.objects import Obj

from lamplighter.api.common import Condition
from lamplighter.api.training import Failure
from lamplighter.core import pods
from lamplighter.core.conditions import reason_word

JOB = a_job(a_training("digits").obj()).obj()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = (
    st.text(max_size=200)
    | ANYTHING.map(json.dumps)
    | st.dictionaries(st.sampled_from(["reason", "message", "exitCode", "sha256"]), ANYTHING, max_size=4).map(
        json.dumps
    )
)


def acceptable(failure: Failure | None) -> None:
    """The failure fits into status and conditions and can be sent."""
    assert failure is not None
    assert len(failure.reason) <= 63
    assert len(failure.message) <= 4096
    Condition(type="Ready", status="False", reason=failure.reason, last_transition_time="2026-11-21T12:00:00Z")
    json.dumps(failure.model_dump(), ensure_ascii=False).encode()


@given(message=MESSAGES, code=st.integers(1, 255))
def test_any_termination_message_makes_a_failure_that_can_be_told(message: str, code: int) -> None:
    acceptable(pods.failure(a_pod(JOB).failed(code, message).obj()))


@given(reason=st.text(max_size=200), message=st.text(max_size=5000))
def test_any_reason_of_a_pod_makes_a_failure_that_can_be_told(reason: str, message: str) -> None:
    acceptable(pods.failure(a_pod(JOB).evicted(reason, message).obj()))


@given(st.text())
def test_a_reason_word_is_one_that_conditions_accept(text: str) -> None:
    Condition(type="Ready", status="True", reason=reason_word(text, "Otherwise"), last_transition_time="")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Evicted", "Evicted"),
        ("OutOfnvidia.com/gpu", "OutOfnvidiacomgpu"),
        ("", "Otherwise"),
        ("404", "Otherwise"),
        ("Ошибка", "Otherwise"),
        ("²Fast", "Fast"),
        ("A" * 99, "A" * 63),
    ],
)
def test_a_reason_word_keeps_what_it_can(text: str, word: str) -> None:
    assert reason_word(text, "Otherwise") == word


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("", None, ""),
        ("one\ntwo\n\n", None, "two"),
        ('{"reason": "UserError", "message": "boom"}', "UserError", "boom"),
        ('{"reason": "no word", "message": "boom"}', None, "boom"),
        ('{"message": null}', None, ""),
        ("[1, 2]", None, "[1, 2]"),
        ('"text"', None, '"text"'),
        ('{"cut": "off', None, '{"cut": "off'),
    ],
)
def test_a_report_is_our_json_or_the_last_line(text: str, reason: str | None, message: str) -> None:
    said = pods.termination_message(text)
    assert (said.reason, said.message) == (reason, message)


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(JOB).pending(),
        a_pod(JOB).running(),
        a_pod(JOB).ready(),
        a_pod(JOB).succeeded(),
        a_pod(JOB).unschedulable(),
    ],
)
def test_a_pod_that_has_not_failed_has_no_failure(pod: object) -> None:
    assert pods.failure(pod.obj()) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [{}, {"containerStatuses": None}, {"conditions": None, "phase": "Unknown"}])
def test_a_pod_that_says_nothing_has_neither_failure_nor_obstacle(status: Obj) -> None:
    pod = a_pod(JOB).obj() | {"status": status}
    assert pods.failure(pod) is None
    assert pods.obstacle(pod) is None


def test_a_container_that_ended_well_does_not_hide_one_that_failed_before() -> None:
    pod = a_pod(JOB).failed(1, "boom").obj()
    pod["status"]["initContainerStatuses"] = [{"name": "first", "state": {"terminated": {"exitCode": 0}}}]
    failure = pods.failure(pod)
    assert failure is not None
    assert failure.message.startswith("container trainer")


def test_what_ends_later_or_only_echoes_is_not_the_first_failure() -> None:
    first = a_pod(JOB, 3).failed(1, "ValueError: boom", ended=4).obj()
    others = [
        a_pod(JOB, 0).failed(143, "stopped", ended=1).obj(),
        a_pod(JOB, 1).failed(1, "lost rank 3", ended=5).obj(),
        a_pod(JOB, 2).running().obj(),
    ]
    cause = pods.first_failure([*others, first])
    assert cause is not None
    assert cause.message.endswith("ValueError: boom")


def test_without_any_failure_there_is_no_first_one() -> None:
    assert pods.first_failure([a_pod(JOB).running().obj()]) is None
