"""Where a status sentence of a ModelDeployment comes from: the rules, of which the first that applies is said. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus
from lamplighter.api.failures import Failure
from lamplighter.core.naming import ABORT, PROMOTE, RESUME, SKIP, UNDO
from lamplighter.deployment.rollout import deadlines, history, steps
from lamplighter.deployment.rollout.advance import Target
from lamplighter.deployment.serving.health import RevisionHealth, existing, health, in_the_way
from lamplighter.deployment.traffic.provider import TrafficProvider
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

_DELIVERED = 15.0
"""Seconds in which a newer configuration reaches all routers: one that refused an earlier one may take this one."""
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


@dataclass(frozen=True)
class Situation:
    """What the rules look at. ``status``: the draft, but for its conditions. ``split``: what it asks of the routers."""

    view: DeploymentView
    status: DeploymentStatus
    target: Target
    split: Split
    routers: Routers
    provider: TrafficProvider

    @property
    def name(self) -> str:
        """The revision that is to serve."""
        return self.target.revision.name

    @property
    def entry(self) -> CandidateStatus | None:
        """The revision that is being rolled out."""
        return self.status.candidate

    @cached_property
    def seen(self) -> RevisionHealth:
        """How the revision that is to serve is doing."""
        wanted, entry = self.view.replicas, self.entry
        if entry is not None and self.status.stable is not None:
            wanted = self.target.strategy.size(entry.step, wanted)
        return health(self.view.snapshot, self.name, wanted)

    @property
    def obstacle(self) -> Failure | None:
        """What keeps its pods from being ready."""
        return None if self.seen.complete else self.seen.obstacle

    @cached_property
    def router_obstacle(self) -> Failure | None:
        """What keeps a router from being ready."""
        return self.provider.obstacle(self.view)

    @cached_property
    def routers_missing(self) -> str:
        """``1 of 2 router pods are ready``, when it is not all of them."""
        return self.provider.missing(self.view)

    @property
    def late(self) -> bool:
        """True when the candidate has not advanced within the deadline."""
        left = deadlines.progress_left(self.view, self.status)
        return left is not None and left <= 0

    @property
    def unverified_for(self) -> float:
        """Seconds for which not every router has said that it has the newest split."""
        return deadlines.unverified_for(self.view, self.status)

    @property
    def stays_ready(self) -> bool:
        """True when it was Ready and asks for the same shares: routers have only to forget a revision that went."""
        before = self.view.status
        current = before.state == "Ready" and before.observed_generation == self.view.snapshot.generation
        return current and self.status.router.traffic == self.split.shares

    @property
    def counted(self) -> str:
        """How many of its pods are ready."""
        return f"revision {self.name}: {self.seen.ready} of {self.seen.wanted} pods are ready{self._kept_waiting}"

    @property
    def where(self) -> str:
        """How far the candidate has come; empty while no other revision serves."""
        entry = self.entry
        if entry is None or self.status.stable is None:
            return ""
        mirrored = f" and a copy of {entry.mirror} %" if entry.mirror else ""
        return f"step {entry.progress}, {entry.weight} % of the requests{mirrored} for revision {entry.revision}: "

    @property
    def awaited(self) -> str:
        """What is missing beside the pods of the revision."""
        left = in_the_way(self.view, self.name) if self.target.strategy.alone and not self.seen.complete else []
        if left:
            return f"; the pods of revision {' and '.join(left)} must terminate first"
        if not self.routers.ready:
            return f", but {self.no_router}"
        if self.seen.complete and not self.status.router.verified:
            return f", but not every {self.provider.router} has the newest split yet"
        return ""

    @property
    def no_router(self) -> str:
        """That no router is ready."""
        return f"no {self.provider.router} is ready, of {self.routers.wanted}"

    @property
    def _kept_waiting(self) -> str:
        """Why pods of the wanted revision are kept from starting: routers do not confirm what they do."""
        status, router = self.status, self.provider.router
        if all(entry is None or entry.revision != self.name for entry in (status.stable, status.candidate)):
            return (
                f"; it starts once one of the {len(status.retiring)} retiring revisions is removed, "
                f"which requires that no {router} still sends requests to it"
            )
        going = [entry.revision for entry in status.retiring if existing(self.view.snapshot, entry.revision)]
        if status.stable is not None or not going or self.unverified_for < _DELIVERED:
            return ""
        return f"; pods of revision {' and '.join(going)} are kept until every {router} confirms the newest split"


@dataclass(frozen=True, slots=True)
class Rule:
    """``say`` gives the sentence when ``when`` is true. ``reason`` None: it is that of the obstacle."""

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
    return it.routers.rejected and it.unverified_for >= _DELIVERED


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
    return f"no progress within spec.strategy.progressDeadline, {limit}: {it.where}{it.counted}{it.awaited}{hindered}"


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
