"""What a traffic provider is: whatever carries requests to the revisions, and can say which of them it sends to.

Rollouts know nothing else of it. The first one is a pair of Envoy pods for each deployment (envoy/).
"""

from dataclasses import dataclass, field
from typing import Protocol

from lamplighter.api.failures import Failure
from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView


@dataclass
class Changes:
    """Objects to create, and partial objects to merge."""

    create: list[Obj] = field(default_factory=list)
    patch: list[Obj] = field(default_factory=list)


class TrafficProvider(Protocol):
    """Carries requests to revisions, and proves it. Every method is pure: it reads a snapshot and writes nothing.

    A provider must keep three promises. It never says that it follows a split before all of the split is in force. What
    it does not understand it refuses as a whole, and continues with what it did before. Its objects do not carry the
    label of a revision: what carries it is counted, and removed, as a part of that revision.
    """

    router: str
    """What people call one of its routers, without an article: ``router pod``."""

    def questions(self, view: DeploymentView) -> list[Ref]:
        """What has to be read before :meth:`look`; a reader of that name answers (see questions/)."""

    def written(self, snapshot: Snapshot) -> str | None:
        """The version of the split that was given to the routers last; None before the first."""

    def look(self, view: DeploymentView, split: Split) -> Routers:
        """What the routers do, and the requests and pods they count by revision. ``split``: what they should do."""

    def objects(self, view: DeploymentView, split: Split, routers: Routers) -> Changes:
        """All that is missing or differs so that the routers exist, have the split, and get the requests."""

    def configuration(self, view: DeploymentView, split: Split) -> Changes:
        """Of :meth:`objects` only what tells the routers of the split."""

    def endpoint(self, snapshot: Snapshot) -> str:
        """The URL at which clients get predictions."""

    def in_charge(self, snapshot: Snapshot) -> bool:
        """True when clients reach the revisions through these routers and in no other way."""

    def stale(self, view: DeploymentView, split: Split) -> list[Obj]:
        """Objects of the provider that nothing needs any more, beside those that a revision takes along."""

    def obstacle(self, view: DeploymentView) -> Failure | None:
        """What keeps a router from being ready."""

    def missing(self, view: DeploymentView) -> str:
        """``1 of 2 router pods are ready``; empty when as many are ready as the spec asks for."""
