"""The actions that people ask for by annotations: promote, abort, pause, resume, skip, undo. Pure.

``lamplighter.dev/<verb>: <value>``. The value names a revision, or is any value that was not there before, such as a
date. ``status.lastHandled`` keeps the value that was handled, so that an annotation which stays does nothing more.
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
from lamplighter.deployment.strategy import RolloutStrategy
from lamplighter.deployment.view import DeploymentView

_MAX = 256
_REVISION = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Action:
    """One annotation that was not handled yet. ``wanted``: the revision that the spec asks for."""

    view: DeploymentView
    draft: DeploymentStatus
    strategy: RolloutStrategy
    wanted: str
    key: str
    value: str

    @property
    def names_revision(self) -> bool:
        """True when the value has the form of a revision name: an unknown one is an error, not an arbitrary value."""
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

    def ignored(self, why: str | None = None) -> Event:
        """The Event of an action that has no effect."""
        if why is None:
            wrong = "names a revision that is not being rolled out"
            why = wrong if self.misdirected else "has no effect: there is no rollout that it applies to"
        return Event("Normal", "Ignored", f"{self.key}: {self.value[:200]} {why}")

    def go_on(self) -> None:
        """End a pause; the time in which the candidate has to advance begins now."""
        self.draft.paused = False
        if self.draft.candidate is not None:
            self.draft.candidate.advanced_at = exact(self.view.now)

    def divert(self, target: str, reason: str) -> None:
        """From now on ``target`` is to serve instead of the wanted revision."""
        self.draft.diverted = Diversion(
            instead_of=self.wanted,
            revision=target,
            reason=reason,
            cause=f"{self.key}: {self.value}",
            since=timestamp(self.view.now),
        )


def take(view: DeploymentView, draft: DeploymentStatus, strategy: RolloutStrategy, wanted: str) -> tuple[Event, ...]:
    """Carry out the annotations that are new. ``wanted``: the revision that the spec asks for."""
    notes = annotations(view.snapshot.obj)
    events: list[Event] = []
    for key, handle in _VERBS.items():
        value, verb = notes.get(key, "")[:_MAX], key.partition("/")[2]
        if value and getattr(draft.last_handled, verb) != value:
            setattr(draft.last_handled, verb, value)
            events.append(handle(Action(view, draft, strategy, wanted, key, value)))
    return tuple(events)


def _pause(action: Action) -> Event:
    if action.misdirected:
        return action.ignored()
    action.draft.paused = True
    return Event("Normal", "Paused", f"no weight rises until the annotation {RESUME} or {PROMOTE} is set")


def _resume(action: Action) -> Event:
    if action.misdirected:
        return action.ignored()
    if action.draft.paused:
        action.go_on()
    elif action.candidate is not None and pausing(action.candidate, action.strategy, action.view.now):
        action.candidate.released = True
    else:
        return action.ignored("has no effect: nothing is paused")
    return Event("Normal", "Resumed", "the rollout continues")


def _skip(action: Action) -> Event:
    if action.candidate is None:
        return action.ignored()
    enter(action.candidate, min(action.candidate.step + 1, len(action.strategy.steps)), action.view.now)
    at = action.strategy.progress(action.candidate.step)
    return Event("Normal", "Skipped", f"revision {action.candidate.revision} continues with step {at}")


def _promote(action: Action) -> Event:
    if action.misdirected:
        return action.ignored()
    paused = action.draft.paused
    action.go_on()
    if action.candidate is None:
        return Event("Normal", "Resumed", "the deployment is no longer paused") if paused else action.ignored()
    enter(action.candidate, len(action.strategy.steps), action.view.now)
    name = action.candidate.revision
    return Event("Normal", "Promoting", f"revision {name} gets all requests as soon as its pods can take them")


def _abort(action: Action) -> Event:
    stable = action.draft.stable
    if action.candidate is None or stable is None:
        return action.ignored()
    if revision.find(action.view.snapshot, stable.revision) is None:
        said = f"{ABORT}: the stable revision {stable.revision} can no longer be restored; change the spec instead"
        return Event("Warning", "NothingToUndo", said)
    action.go_on()
    action.divert(stable.revision, history.ABORTED)
    name = action.candidate.revision
    return Event("Normal", "Aborting", f"revision {name} is aborted; {stable.revision} receives all requests again")


def _undo(action: Action) -> Event:
    draft = action.draft
    target: str | None = action.value
    if action.names_revision and revision.find(action.view.snapshot, action.value) is None:
        return Event("Warning", "NothingToUndo", f"{UNDO}: revision {action.value} is no longer kept")
    if not action.names_revision:
        rolling_out = draft.stable is not None and draft.candidate is not None
        target = draft.stable.revision if draft.stable and rolling_out else history.before(action.view, draft)
    if target is None:
        return Event("Warning", "NothingToUndo", f"{UNDO}: {action.value[:200]}: no earlier revision is kept")
    action.go_on()
    action.divert(target, "Undone")
    return Event("Normal", "Undoing", f"revision {target} takes over, although the spec asks for {action.wanted}")


_VERBS: dict[str, Callable[[Action], Event]] = {
    PAUSE: _pause,
    RESUME: _resume,
    SKIP: _skip,
    PROMOTE: _promote,
    ABORT: _abort,
    UNDO: _undo,
}
"""In this order, where several annotations are new at once."""
