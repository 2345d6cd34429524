"""Where a status sentence of a ModelDeployment comes from: the rules, of which the first that applies is said. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from lamplighter.core.naming import ABORT, PROMOTE, RESUME, SKIP, UNDO
from lamplighter.deployment.rollout import history, steps
from lamplighter.deployment.situation import DELIVERED, Situation

STALLING = frozenset(
    {
        "ContainerCannotRun",
        "ConfigurationError",
        "ContainerConfigError",
        "DigestMismatch",
        "ImagePullFailed",
        "InvalidArchive",
        "ModelNotFound",
        "OOMKilled",
        "PodsRefused",
        "PredictionFailed",
        "SignatureMismatch",
        "SignatureMissing",
        "UserError",
        "WorkerFailed",
    }
)
"""Obstacles that do not go away by waiting."""


class Outcome(Enum):
    """What a rule says about the deployment: one of the kstatus conditions."""

    READY = auto()
    PROGRESSING = auto()
    STALLED = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """``say`` gives the sentence when ``when`` is true. ``reason`` None: the obstacle's."""

    reason: str | None
    outcome: Outcome
    when: Callable[[Situation], bool]
    say: Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the status says: the reason and message of its conditions."""

    reason: str
    outcome: Outcome
    message: str


def sentence(situation: Situation) -> Sentence:
    """What the first rule that applies says."""
    rule = next(rule for rule in RULES if rule.when(situation))
    reason = rule.reason or (situation.obstacle.reason if situation.obstacle else "")
    return Sentence(reason, rule.outcome, rule.say(situation))


def _stalled_by_obstacle(it: Situation) -> bool:
    return it.obstacle is not None and it.obstacle.reason in STALLING


def _refused_by_router(it: Situation) -> bool:
    return it.routers.rejected and it.unverified_for >= DELIVERED


def _pausing(it: Situation) -> bool:
    return it.entry is not None and steps.pausing(it.entry, it.target.strategy, it.view.now)


def _holding(it: Situation) -> bool:
    return it.entry is not None and it.entry.step_since is not None


def _aborted(it: Situation) -> bool:
    return it.status.diverted is not None and it.status.diverted.reason == history.ABORTED


def _say_obstacle(it: Situation) -> str:
    return f"{it.where}{it.counted}. {it.obstacle.message if it.obstacle else ''}"


def _say_refused(it: Situation) -> str:
    return (
        f"one {it.provider.router} refuses its configuration and continues with the previous one; "
        "please report this, with its log"
    )


def _say_late(it: Situation) -> str:
    limit = it.view.spec.strategy.progress_deadline
    hindered = f". {it.obstacle.message}" if it.obstacle else ""
    return f"no progress within spec.strategy.progressDeadline ({limit}): {it.where}{it.counted}{it.awaited}{hindered}"


def _say_paused(it: Situation) -> str:
    return f"{it.where}paused by annotation; {RESUME} or {PROMOTE} to continue, {ABORT} to abort"


def _say_pausing(it: Situation) -> str:
    return f"{it.where}paused by this step; {RESUME}, {SKIP} or {PROMOTE} to continue, {ABORT} to abort"


def _say_holding(it: Situation) -> str:
    if it.entry is None:
        return ""
    return f"{it.where}held for {it.target.strategy.step(it.entry.step).hold} since {it.entry.step_since}"


def _say_aborted(it: Situation) -> str:
    diverted = it.status.diverted
    if diverted is None:
        return ""
    serves = "serves" if it.seen.complete else f"is to serve: {it.counted}{it.awaited}"
    return (
        f"revision {diverted.instead_of} was aborted ({diverted.cause}) and {it.name} {serves}. "
        f"Change the spec, or try it again: {UNDO}: {diverted.instead_of}"
    )


def _say_ready(it: Situation) -> str:
    undone = it.status.diverted
    return it.counted + (f"; the spec asks for {undone.instead_of} ({undone.cause})" if undone is not None else "")


def _say_routers_missing(it: Situation) -> str:
    missing = it.routers_missing if it.routers.ready else it.no_router
    return f"{it.counted}, but {missing}{f'. {it.router_obstacle.message}' if it.router_obstacle else ''}"


RULES = (
    Rule(None, Outcome.STALLED, _stalled_by_obstacle, _say_obstacle),
    Rule(None, Outcome.PROGRESSING, lambda it: it.obstacle is not None and not it.late, _say_obstacle),
    Rule("RouterRefused", Outcome.STALLED, _refused_by_router, _say_refused),
    Rule("ProgressDeadlineExceeded", Outcome.STALLED, lambda it: it.late, _say_late),
    Rule("Paused", Outcome.PROGRESSING, lambda it: it.entry is not None and it.status.paused, _say_paused),
    Rule("Paused", Outcome.PROGRESSING, _pausing, _say_pausing),
    Rule("Holding", Outcome.PROGRESSING, lambda it: _holding(it) and it.status.router.verified, _say_holding),
    Rule(
        "RollingOut",
        Outcome.PROGRESSING,
        _holding,
        lambda it: f"{_say_holding(it)}, but not every {it.provider.router} confirms the newest split now",
    ),
    Rule(
        "RollingOut",
        Outcome.PROGRESSING,
        lambda it: it.entry is not None,
        lambda it: f"{it.where}{it.counted}{it.awaited}",
    ),
    Rule("Aborted", Outcome.STALLED, _aborted, _say_aborted),
    Rule(
        "RouterNotReady",
        Outcome.PROGRESSING,
        lambda it: it.seen.complete and not it.routers.ready,
        _say_routers_missing,
    ),
    Rule(
        "RouterNotReady",
        Outcome.PROGRESSING,
        lambda it: it.seen.complete and bool(it.routers_missing) and it.router_obstacle is not None,
        _say_routers_missing,
    ),
    Rule(
        "RollingOut",
        Outcome.PROGRESSING,
        lambda it: it.seen.complete and bool(it.routers_missing),
        _say_routers_missing,
    ),
    Rule(
        "Ready",
        Outcome.READY,
        lambda it: it.seen.complete and (it.status.router.verified or it.stays_ready),
        _say_ready,
    ),
    Rule("RollingOut", Outcome.PROGRESSING, lambda _: True, lambda it: it.counted + it.awaited),
)
"""In this order: what needs a person first, then the rollout, then what serves."""
