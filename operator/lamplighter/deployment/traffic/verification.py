"""What the routers say that they do, held against what they are to do. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.view import DeploymentView


@dataclass(frozen=True, slots=True)
class Reading:
    """A router at one moment.

    ``version``: of its configuration when all of it is in force, otherwise None.
    ``rejected``: since it started it has refused a configuration; when ``version`` is not the wanted one, this is why.
    ``healthy``: by revision, the pods that it would send requests to, REST and gRPC alike.
    ``active``: by revision, the requests in flight; None: this router does not count them.
    """

    version: str | None = None
    rejected: bool = False
    healthy: Mapping[str, int] = field(default_factory=dict)
    active: Mapping[str, int] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Routers:
    """All routers of a deployment.

    ``split``: what they should do by the status that was read. ``wanted``, ``ready``: how many there are to be and are.
    ``verified``: at least one is ready, and all that are ready follow that split.
    ``lingering_verified``: so do those that are not ready or are stopping, and may still have connections.
    ``rejected``: one of them refuses its configuration. ``readings``: of the ready ones; ``leaving``: of the others.
    """

    split: Split
    wanted: int
    ready: int
    verified: bool
    lingering_verified: bool
    rejected: bool = False
    readings: tuple[Reading, ...] = ()
    leaving: tuple[Reading, ...] = ()

    def healthy(self, revision: str) -> int:
        """How many pods of a revision every ready router finds healthy."""
        return min((reading.healthy.get(revision, 0) for reading in self.readings), default=0)

    def active(self, revision: str) -> int | None:
        """How many requests a revision is answering now; None where a router does not count them."""
        counted = [reading.active for reading in (*self.readings, *self.leaving)]
        known = [counts.get(revision, 0) for counts in counted if counts is not None]
        return sum(known) if len(known) == len(counted) else None


def settled(status: DeploymentStatus) -> bool:
    """True when no revision comes or goes and all routers said that they follow: no router has to be asked again."""
    return status.candidate is None and not status.retiring and status.router.verified


def unasked(view: DeploymentView, split: Split, wanted: int, ready: int) -> Routers:
    """The routers of a deployment that has settled: what they said before still holds while the split is the same."""
    known = view.status.router.verified and view.status.router.config == split.version
    return Routers(split, wanted, ready, known, known)


def compared(
    split: Split, wanted: int, readings: tuple[Reading, ...], leaving: tuple[Reading, ...], counted: int
) -> Routers:
    """Hold what the routers say against the split.

    ``readings``: of the ready routers. ``leaving``: of those that are not ready or are stopping.
    ``counted``: how many ready routers a second source counts; while it counts more, one was not asked.
    """
    version = split.version
    return Routers(
        split=split,
        wanted=wanted,
        ready=len(readings),
        verified=bool(readings) and all(said.version == version for said in readings) and len(readings) >= counted,
        lingering_verified=all(said.version == version for said in leaving),
        rejected=any(said.rejected and said.version != version for said in (*readings, *leaving)),
        readings=readings,
        leaving=leaving,
    )
