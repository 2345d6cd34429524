"""How a rollout stands, as the rules of sentences.py look at it. Pure."""

from dataclasses import dataclass
from functools import cached_property

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus
from lamplighter.api.failures import Failure
from lamplighter.deployment.rollout import deadlines
from lamplighter.deployment.rollout.advance import Target
from lamplighter.deployment.serving.health import RevisionHealth, existing, health, in_the_way
from lamplighter.deployment.traffic.provider import TrafficProvider
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView

DELIVERED = 15.0
"""Seconds in which a newer configuration reaches all routers; one that refused an earlier one may accept this one."""


@dataclass(frozen=True)
class Situation:
    """What the rules look at. ``status``: the draft, without its conditions. ``split``: what it asks of the routers."""

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
        """True when it was Ready and no share changed: routers only have to drop a revision that was removed."""
        before = self.view.status
        current = before.state == "Ready" and before.observed_generation == self.view.snapshot.generation
        return current and self.status.router.traffic == self.split.shares

    @property
    def counted(self) -> str:
        """How many of its pods are ready."""
        return f"{self.seen.ready} of {self.seen.wanted} pods of revision {self.name} are ready{self._kept_waiting}"

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
            return f"; the pods of {', '.join(left)} must terminate first"
        if not self.routers.ready:
            return f", but {self.no_router}"
        if self.seen.complete and not self.status.router.verified:
            return f", but not every {self.provider.router} has the newest split yet"
        return ""

    @property
    def no_router(self) -> str:
        """That no router is ready."""
        return f"no {self.provider.router} is ready (0 of {self.routers.wanted})"

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
        if status.stable is not None or not going or self.unverified_for < DELIVERED:
            return ""
        return f"; the pods of {', '.join(going)} are kept until every {router} confirms the newest split"
