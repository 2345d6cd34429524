"""Conditions after the API conventions and kstatus."""

from tests.builders import NOW, at, later

from lamplighter.api.common import Condition
from lamplighter.core.conditions import set_condition, summarize


def ready(
    conditions: list[Condition], status: bool, seconds: float, reason: str = "Because", generation: int = 1
) -> Condition:
    """The Ready condition after it was set."""
    set_condition(conditions, "Ready", status, reason, "a sentence", generation, later(seconds))
    (entry,) = [entry for entry in conditions if entry.type == "Ready"]
    return entry


def test_the_transition_time_moves_only_when_the_status_does() -> None:
    conditions: list[Condition] = []
    assert ready(conditions, False, 0).last_transition_time == at(0)
    assert ready(conditions, False, 60, reason="Else").last_transition_time == at(0)
    assert ready(conditions, True, 120).last_transition_time == at(120)


def test_reason_message_and_generation_are_the_newest() -> None:
    conditions: list[Condition] = []
    ready(conditions, True, 0)
    entry = ready(conditions, True, 1, reason="Else", generation=7)
    assert (entry.reason, entry.observed_generation) == ("Else", 7)


def test_a_message_is_cut_to_what_the_api_accepts() -> None:
    conditions: list[Condition] = []
    set_condition(conditions, "Ready", True, "Because", "ü" * 40000, 1, NOW)
    assert len(conditions[0].message) == 32768


def test_the_three_conditions_of_kstatus_are_always_there_and_others_stay() -> None:
    conditions: list[Condition] = []
    set_condition(conditions, "Available", True, "Serving", "2 pods answer", 1, NOW)
    summarize(
        conditions,
        ready=False,
        progressing=True,
        stalled=False,
        reason="Running",
        message="1 pod running",
        generation=1,
        now=NOW,
    )
    assert [(entry.type, entry.status, entry.message) for entry in conditions] == [
        ("Available", "True", "2 pods answer"),
        ("Ready", "False", "1 pod running"),
        ("Reconciling", "True", "1 pod running"),
        ("Stalled", "False", ""),
    ]
