"""A record that shows a wrong way is told from a right one."""

from typing import Any

import pytest
from tests.programs.soak.record import Entry
from tests.programs.soak.verdicts import of_training
from tests.samples.objects import training

from lamplighter.api.failures import Cause

STRICT = training("t", failurePolicy={"maxRestarts": 1})
INJECTED = {Cause.USER_ERROR: 2}


def entry(kind: str, name: str, said: dict[str, Any], uid: str = "u", event: str = "MODIFIED") -> Entry:
    return Entry(0.0, event, kind, name, uid or name, said)


def run(attempt: int, state: str, **more: Any) -> Entry:
    said = {"number": 1, "state": state, "stage": "train", "attempt": attempt, "restarts": attempt - 1, **more}
    return entry("ModelTraining", "t", {"run": said})


def job(attempt: int, uid: str = "u", *conditions: str) -> Entry:
    return entry(
        "Job",
        f"t-1-{attempt}",
        {"stage": "train", "attempt": str(attempt), "conditions": conditions, "suspend": False},
        uid,
    )


def pod(phase: str) -> Entry:
    return entry("Pod", "t-1-2-0", {"phase": phase})


ONCE = {"failures": {"UserError": 1}}
RIGHT = [
    run(1, "Pending"),
    job(1),
    run(1, "Running"),
    job(1, "u", "Failed"),
    run(2, "Pending", **ONCE),
    job(2, "v"),
    pod("Running"),
    pod("Succeeded"),
    job(2, "v", "Complete"),
    run(2, "Succeeded", **ONCE),
]


def test_a_right_way_is_not_complained_of() -> None:
    assert of_training(STRICT, RIGHT, INJECTED) == []


def test_a_budget_that_is_spent_ends_a_run() -> None:
    twice = {"failures": {"UserError": 2}, "failure": {"cause": "UserError"}}
    failed = [*RIGHT[:-2], job(2, "v", "Failed"), run(2, "Failed", **twice)]
    assert of_training(STRICT, failed, INJECTED) == []


@pytest.mark.parametrize(
    ("story", "sentence"),
    [
        (RIGHT[:-1], "never came to an end"),
        ([], "never looked at"),
        ([*RIGHT, run(2, "Running", **ONCE)], "later said"),
        ([*RIGHT, run(3, "Succeeded", **ONCE)], "later said"),
        ([*RIGHT[:-1], run(2, "Lost", **ONCE)], "it ended as Lost"),
        ([job(2, "another", "Complete"), *RIGHT], "Job t-1-2 was made 2 times"),
        ([*RIGHT, job(4, "w", "Failed")], "Jobs of the attempts [1, 2, 4]"),
        ([*RIGHT, job(3, "w", "Failed")], "the last Job is of 3"),
        ([run(3, "Pending"), *RIGHT], "the attempt went back from 3 to 1"),
        ([*RIGHT[:-1], run(2, "Succeeded", restarts=0, **ONCE)], "0 restarts and preemptions are counted"),
        ([*RIGHT[:-1], run(2, "Succeeded", failures={"UserError": 2})], "its budget is 1"),
        ([*RIGHT[:-1], run(2, "Succeeded", failures={"Hang": 1})], "1 failures are put down to Hang"),
        (
            [*RIGHT[:-1], run(2, "Failed", failures={"UserError": 1}, failure={"cause": "UserError"})],
            "whose budget of 1 was not spent",
        ),
        ([*RIGHT[:-1], run(2, "Failed", **ONCE, failure={"cause": "Infrastructure"})], "has budget enough"),
        ([*RIGHT, job(2, "v")], "Job t-1-2 is not over"),
        ([*RIGHT, pod("Running")], "pod t-1-2-0 is left"),
    ],
)
def test_a_wrong_way_is_told(story: list[Entry], sentence: str) -> None:
    assert any(sentence in complaint for complaint in of_training(STRICT, story, INJECTED))


def test_what_was_deleted_is_not_left() -> None:
    gone = entry("Pod", "t-1-1-0", {"phase": "Running"}, event="DELETED")
    assert of_training(STRICT, [*RIGHT, gone], INJECTED) == []


def test_a_job_that_failed_while_it_was_suspended_is_over() -> None:
    said = {"stage": "train", "attempt": "1", "conditions": ["FailureTarget"], "suspend": True}
    assert of_training(STRICT, [*RIGHT, entry("Job", "t-1-1", said)], INJECTED) == []
    complaints = of_training(STRICT, [*RIGHT, entry("Job", "t-1-1", said | {"terminating": 1})], INJECTED)
    assert ["Job t-1-1 is not over" in complaint for complaint in complaints] == [True]
