"""The candidate's way through the steps: its weight follows its ready pods, and a step ends when it has been held.

A weight rises only when the candidate has the pods for it, every router pod sees them and has the split before. It
falls as soon as pods are missing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lamplighter.api.common import seconds
from lamplighter.api.deployment import CandidateStatus
from lamplighter.core.objects import exact, moment
from lamplighter.deployment.strategy import Course, share


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the candidate's pods. ``seen``: how many of them every router pod counts as healthy.

    ``stable``: how many pods of the stable revision are ready. ``verified``: every router pod has the split that the
    status tells of, and nothing but shares is about to change.
    """

    replicas: int
    ready: int
    stable: int
    seen: int = 0
    verified: bool = False


def enter(candidate: CandidateStatus, step: int, now: datetime) -> None:
    """Begin a step."""
    candidate.step, candidate.step_since, candidate.released = step, None, False
    candidate.advanced_at = exact(now)


def walk(candidate: CandidateStatus, course: Course, sight: Sight, now: datetime, *, paused: bool) -> bool:
    """Go as far as the course allows now; True when the candidate has everything, and that everywhere."""
    before = candidate.weight, candidate.mirror
    fit(candidate, sight, now)
    least = min(candidate.weight, 100 - share(sight.stable, sight.replicas))  # the stable revision cannot take it (yet)
    for _ in range(len(course.steps) + 1):
        step = course.step(candidate.step)
        weight = max(step.weight, least)
        if (candidate.weight, candidate.mirror) != (weight, step.mirror):
            candidate.step_since = None
            if paused or not _carries(course, candidate, sight):
                break
            candidate.weight, candidate.mirror = weight, step.mirror
            candidate.advanced_at = exact(now)
        if sight.ready < course.size(candidate.step, sight.replicas):
            _unhold(candidate, now)
            break
        if before != (candidate.weight, candidate.mirror) or not _carries(course, candidate, sight):
            break  # what routers do not say now they said before: the hold goes on, and ends when they say it again
        if candidate.weight != step.weight:
            break  # the stable revision cannot take its share of this step yet
        candidate.step_since = candidate.step_since or exact(now)
        if candidate.step >= len(course.steps):
            return True
        if paused or not _held(candidate, course, now):
            break
        enter(candidate, candidate.step + 1, now)
    candidate.progress = course.progress(candidate.step)
    return False


def waits(candidate: CandidateStatus, course: Course, now: datetime) -> float | None:
    """Seconds until the step has been held; None when something else is waited for."""
    if candidate.step_since is None:
        return None
    left = _until(candidate, course) - now
    return left.total_seconds() if left > timedelta() else None


def pausing(candidate: CandidateStatus, course: Course, now: datetime) -> bool:
    """True when the step has been held, and somebody has to say how it goes on."""
    step = course.step(candidate.step)
    held = candidate.step_since is not None and _until(candidate, course) <= now
    return held and step.pause and not candidate.released


def fit(candidate: CandidateStatus, sight: Sight, now: datetime) -> None:
    """No more weight than the ready pods can take, unless nobody else could take any of it."""
    allowed = share(sight.ready, sight.replicas)
    if candidate.weight > allowed and (sight.stable or not sight.ready):
        candidate.weight, candidate.advanced_at = allowed, exact(now)
        _unhold(candidate, now)
    if candidate.mirror and sight.ready == 0 < sight.replicas:
        candidate.mirror = 0
        _unhold(candidate, now)


def _unhold(candidate: CandidateStatus, now: datetime) -> None:
    """What was held is not the case any more: the hold begins anew, and so does the time in which it has to."""
    if candidate.step_since is not None:
        candidate.step_since, candidate.advanced_at = None, exact(now)


def _carries(course: Course, candidate: CandidateStatus, sight: Sight) -> bool:
    wanted = course.size(candidate.step, sight.replicas)
    return min(sight.ready, sight.seen) >= wanted and sight.verified


def _held(candidate: CandidateStatus, course: Course, now: datetime) -> bool:
    return _until(candidate, course) <= now and (not course.step(candidate.step).pause or candidate.released)


def _until(candidate: CandidateStatus, course: Course) -> datetime:
    since = moment(candidate.step_since or "9999-01-01T00:00:00Z")
    return since + timedelta(seconds=seconds(course.step(candidate.step).hold))
