"""Where a canary's weight rises and falls: the steps of a candidate, one after the other. Pure.

A weight rises only when the candidate has the pods for it, and every router sees them and has the split before. It
falls as soon as pods are missing. A step ends when it has been held for as long as it asks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lamplighter.api.common import seconds
from lamplighter.api.deployment import CandidateStatus
from lamplighter.core.objects import exact, moment
from lamplighter.deployment.strategy import RolloutStrategy, share


@dataclass(frozen=True, slots=True)
class Counts:
    """Pods, as far as they matter to a step.

    ``replicas``: how many carry the whole load. ``ready``: of the candidate. ``stable``: ready ones of the stable
    revision. ``seen``: pods of the candidate that every router finds healthy. ``verified``: every router has the split
    that the status asks for, and nothing but shares is about to change.
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


def walk(candidate: CandidateStatus, strategy: RolloutStrategy, counts: Counts, now: datetime, *, paused: bool) -> bool:
    """Go as far as the strategy allows now; True when the candidate gets all requests from every router."""
    before = candidate.weight, candidate.mirror
    fit(candidate, counts, now)
    least = min(
        candidate.weight, 100 - share(counts.stable, counts.replicas)
    )  # the share that the stable revision cannot take, or not yet
    for _ in range(len(strategy.steps) + 1):
        step = strategy.step(candidate.step)
        weight = max(step.weight, least)
        if (candidate.weight, candidate.mirror) != (weight, step.mirror):
            candidate.step_since = None
            if paused or not _carries(strategy, candidate, counts):
                break
            candidate.weight, candidate.mirror = weight, step.mirror
            candidate.advanced_at = exact(now)
        if counts.ready < strategy.size(candidate.step, counts.replicas):
            _unhold(candidate, now)
            break
        if before != (candidate.weight, candidate.mirror) or not _carries(strategy, candidate, counts):
            break  # routers confirmed it before, though not now: the hold continues, and ends when they do again
        if candidate.weight != step.weight:
            break  # the stable revision cannot take its share of this step yet
        candidate.step_since = candidate.step_since or exact(now)
        if candidate.step >= len(strategy.steps):
            return True
        if paused or not _held(candidate, strategy, now):
            break
        enter(candidate, candidate.step + 1, now)
    candidate.progress = strategy.progress(candidate.step)
    return False


def waits(candidate: CandidateStatus, strategy: RolloutStrategy, now: datetime) -> float | None:
    """Seconds until the step has been held; None when something else is waited for."""
    if candidate.step_since is None:
        return None
    left = _until(candidate, strategy) - now
    return left.total_seconds() if left > timedelta() else None


def pausing(candidate: CandidateStatus, strategy: RolloutStrategy, now: datetime) -> bool:
    """True when the step has been held, and a person has to say how the rollout continues."""
    step = strategy.step(candidate.step)
    held = candidate.step_since is not None and _until(candidate, strategy) <= now
    return held and step.pause and not candidate.released


def fit(candidate: CandidateStatus, counts: Counts, now: datetime) -> None:
    """No more weight than the ready pods can take, unless no other revision could take any of it."""
    allowed = share(counts.ready, counts.replicas)
    if candidate.weight > allowed and (counts.stable or not counts.ready):
        candidate.weight, candidate.advanced_at = allowed, exact(now)
        _unhold(candidate, now)
    if candidate.mirror and counts.ready == 0 < counts.replicas:
        candidate.mirror = 0
        _unhold(candidate, now)


def _unhold(candidate: CandidateStatus, now: datetime) -> None:
    """Restart the hold, and with it the progress deadline."""
    if candidate.step_since is not None:
        candidate.step_since, candidate.advanced_at = None, exact(now)


def _carries(strategy: RolloutStrategy, candidate: CandidateStatus, counts: Counts) -> bool:
    wanted = strategy.size(candidate.step, counts.replicas)
    return min(counts.ready, counts.seen) >= wanted and counts.verified


def _held(candidate: CandidateStatus, strategy: RolloutStrategy, now: datetime) -> bool:
    return _until(candidate, strategy) <= now and (not strategy.step(candidate.step).pause or candidate.released)


def _until(candidate: CandidateStatus, strategy: RolloutStrategy) -> datetime:
    since = moment(candidate.step_since or "9999-01-01T00:00:00Z")
    return since + timedelta(seconds=seconds(strategy.step(candidate.step).hold))
