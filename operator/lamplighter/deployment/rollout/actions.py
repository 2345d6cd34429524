"""What people ask for by annotations: promote, abort, pause, resume, skip, undo. Pure.

``lamplighter.dev/<verb>: <value>``. The value names a revision, or is anything that was not there before, such as a
date. What was handled is echoed in ``status.lastHandled``, so that an annotation which stays behind does nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus, Diversion
from lamplighter.core.naming import ABORT, PAUSE, PROMOTE, RESUME, SKIP, UNDO
from lamplighter.core.objects import annotations, exact, timestamp
from lamplighter.core.plan import Event
from lamplighter.deployment.rollout import history
from lamplighter.deployment.rollout.steps import enter, pausing
from lamplighter.deployment.serving import revision
from lamplighter.deployment.strategy import Course
from lamplighter.deployment.view import DeploymentView

_MAX = 256
_REVISION = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Wish:
    """One annotation that was not handled yet, and the revision that the spec asks for."""

    view: DeploymentView
    draft: DeploymentStatus
    course: Course
    wanted: str
    key: str
    value: str

    @property
    def names_revision(self) -> bool:
        """True when the value is a revision by its looks; one that is not known (any more) is no nonce."""
        return _REVISION.fullmatch(self.value) is not None

    @property
    def misdirected(self) -> bool:
        """True when the value names a revision, and not the candidate."""
        candidate = self.draft.candidate
        return self.names_revision and (candidate is None or candidate.revision != self.value)

    @property
    def candidate(self) -> CandidateStatus | None:
        """The candidate that is meant."""
        return None if self.misdirected else self.draft.candidate

    def ignored(self, why: str = "is for no revision that is on its way now") -> Event:
        """There is nothing to be done."""
        return Event("Normal", "Ignored", f"{self.key}: {self.value[:200]} {why}")

    def go_on(self) -> None:
        """End a pause; the time in which the candidate has to advance begins now."""
        self.draft.paused = False
        if self.draft.candidate is not None:
            self.draft.candidate.advanced_at = exact(self.view.now)

    def divert(self, target: str, reason: str) -> None:
        """From now on this revision serves instead of the wanted one."""
        self.draft.diverted = Diversion(
            instead_of=self.wanted,
            revision=target,
            reason=reason,
            cause=f"{self.key}: {self.value}",
            since=timestamp(self.view.now),
        )


def grant(view: DeploymentView, draft: DeploymentStatus, course: Course, wanted: str) -> tuple[Event, ...]:
    """Do what is asked for. ``wanted``: the revision that the spec asks for."""
    notes = annotations(view.snapshot.obj)
    events: list[Event] = []
    for key, act in _VERBS.items():
        value, verb = notes.get(key, "")[:_MAX], key.partition("/")[2]
        if value and getattr(draft.last_handled, verb) != value:
            setattr(draft.last_handled, verb, value)
            events.append(act(Wish(view, draft, course, wanted, key, value)))
    return tuple(events)


def _pause(wish: Wish) -> Event:
    if wish.misdirected:
        return wish.ignored()
    wish.draft.paused = True
    return Event("Normal", "Paused", f"no weight rises until somebody sets {RESUME} or {PROMOTE}")


def _resume(wish: Wish) -> Event:
    if wish.misdirected:
        return wish.ignored()
    if wish.draft.paused:
        wish.go_on()
    elif wish.candidate is not None and pausing(wish.candidate, wish.course, wish.view.now):
        wish.candidate.released = True
    else:
        return wish.ignored("comes while nothing is paused")
    return Event("Normal", "Resumed", "the rollout goes on")


def _skip(wish: Wish) -> Event:
    if wish.candidate is None:
        return wish.ignored()
    enter(wish.candidate, min(wish.candidate.step + 1, len(wish.course.steps)), wish.view.now)
    at = wish.course.progress(wish.candidate.step)
    return Event("Normal", "Skipped", f"revision {wish.candidate.revision} goes on to step {at}")


def _promote(wish: Wish) -> Event:
    if wish.misdirected:
        return wish.ignored()
    paused = wish.draft.paused
    wish.go_on()
    if wish.candidate is None:
        return Event("Normal", "Resumed", "nothing is paused any more") if paused else wish.ignored()
    enter(wish.candidate, len(wish.course.steps), wish.view.now)
    name = wish.candidate.revision
    return Event("Normal", "Promoting", f"revision {name} gets all requests as soon as it can take them")


def _abort(wish: Wish) -> Event:
    stable = wish.draft.stable
    if wish.candidate is None or stable is None:
        return wish.ignored()
    if revision.find(wish.view.snapshot, stable.revision) is None:
        said = f"{ABORT}: revision {stable.revision} is not kept (any more); change the spec instead"
        return Event("Warning", "NothingToUndo", said)
    wish.go_on()
    wish.divert(stable.revision, history.ABORTED)
    name = wish.candidate.revision
    return Event("Normal", "Aborting", f"revision {name} is given up; {stable.revision} answers all requests")


def _undo(wish: Wish) -> Event:
    draft = wish.draft
    target: str | None = wish.value
    if wish.names_revision and revision.find(wish.view.snapshot, wish.value) is None:
        return Event("Warning", "NothingToUndo", f"{UNDO}: revision {wish.value} is not kept (any more)")
    if not wish.names_revision:
        on_its_way = draft.stable is not None and draft.candidate is not None
        target = draft.stable.revision if draft.stable and on_its_way else history.before(wish.view, draft)
    if target is None:
        return Event("Warning", "NothingToUndo", f"{UNDO}: {wish.value[:200]}: no earlier revision is kept")
    wish.go_on()
    wish.divert(target, "Undone")
    return Event("Normal", "Undoing", f"revision {target} takes over; the spec asks for {wish.wanted}")


_VERBS: dict[str, Callable[[Wish], Event]] = {
    PAUSE: _pause,
    RESUME: _resume,
    SKIP: _skip,
    PROMOTE: _promote,
    ABORT: _abort,
    UNDO: _undo,
}
"""In this order, where several are new at once."""
