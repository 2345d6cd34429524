"""Conditions after the API conventions and kstatus: Ready, Reconciling, Stalled."""

import re
from datetime import datetime

from lamplighter.api.common import Condition
from lamplighter.core.objects import timestamp

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"


_STRANGE = re.compile(r"[^A-Za-z0-9]")


def reason_word(text: str, otherwise: str) -> str:
    """A reason that the API accepts, made from another component's, such as the kubelet's ``OutOfnvidia.com/gpu``."""
    word = _STRANGE.sub("", text)[:63]
    return word if word and not word[0].isdigit() else otherwise


def set_condition(
    conditions: list[Condition],
    kind: str,
    status: bool,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> None:
    """Put a condition into the list in place. The transition time moves only when the status does."""
    value = "True" if status else "False"
    for index, old in enumerate(conditions):
        if old.type == kind:
            since = old.last_transition_time if old.status == value else timestamp(now)
            conditions[index] = _condition(kind, value, reason, message, generation, since)
            return
    conditions.append(_condition(kind, value, reason, message, generation, timestamp(now)))


def summarize(
    conditions: list[Condition],
    *,
    ready: bool,
    progressing: bool,
    stalled: bool,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> None:
    """Set the three kstatus conditions from one verdict.

    ``progressing``: the operator is working on it. ``stalled``: it waits for the user. All three are always present,
    so that ``kubectl wait --for=condition=...`` works from the first write on.
    """
    set_condition(conditions, READY, ready, reason, message, generation, now)
    for kind, status in ((RECONCILING, progressing), (STALLED, stalled)):
        set_condition(conditions, kind, status, reason, message if status else "", generation, now)


def _condition(kind: str, status: str, reason: str, message: str, generation: int, since: str) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message[:32768],
        observed_generation=generation,
        last_transition_time=since,
    )
