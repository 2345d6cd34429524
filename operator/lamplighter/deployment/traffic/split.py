"""The split that a status asks for: which revision receives which requests, how, and under which version. Pure."""

from dataclasses import dataclass

from lamplighter.api.common import seconds
from lamplighter.api.deployment import DeploymentStatus, RevisionStatus
from lamplighter.api.router import Share
from lamplighter.deployment.serving import revision
from lamplighter.deployment.strategy import rollout_strategy
from lamplighter.deployment.traffic.types import Backend, Forwarding, Traffic, fingerprint
from lamplighter.deployment.view import DeploymentView

Topology = tuple[tuple[Backend, ...], str | None, Forwarding]


@dataclass(frozen=True, slots=True)
class Split:
    """What the routers are to do. ``version`` names it: ``<number>-<fingerprint>``."""

    traffic: Traffic
    forwarding: Forwarding
    version: str

    @property
    def topology(self) -> Topology:
        """See :func:`topology`."""
        return self.traffic.backends, self.traffic.preview, self.forwarding

    @property
    def shares(self) -> list[Share]:
        """Percent of the requests by revision, as the status tells it."""
        return [Share(revision=name, weight=weight) for name, weight in self.traffic.weights]


def split(view: DeploymentView, status: DeploymentStatus, written: str | None) -> Split:
    """The split that a status asks for. ``written``: the version that was given to the routers last.

    The number in the version tells two splits apart that ask for the same, with another one between them: a router
    that has the first may still have to pass through the one between.
    """
    shared, how = traffic(view, status), forwarding(view, status)
    wanted = fingerprint(shared, how)
    known = [version for version in (written, view.status.router.config) if version]
    last = max(known, key=_number, default="")
    version = last if last and last.rpartition("-")[2] == wanted else f"{_number(last) + 1}-{wanted}"
    return Split(shared, how, version)


def traffic(view: DeploymentView, status: DeploymentStatus) -> Traffic:
    """Which revision receives which requests.

    A revision beside another one is routed to only once some of its pods are ready: by then routers have known it long
    enough. A stable revision whose candidate has all requests is not routed to, so removing it changes nothing.
    """
    stable, candidate = status.stable, status.candidate
    active = [entry for entry in (stable, candidate) if entry is not None]
    reachable = [entry.revision for entry in active if _reachable(entry, status)]
    present = sorted([*(entry.revision for entry in active), *(entry.revision for entry in status.retiring)])
    shown = reachable[-1:] if rollout_strategy(view.spec.strategy).preview else []
    return Traffic(
        backends=tuple(_backend(view, name) for name in dict.fromkeys(present)),
        weights=tuple((entry.revision, entry.weight) for entry in active if entry.weight),
        pins=tuple(reachable),
        mirror=(candidate.revision, candidate.mirror) if candidate and candidate.mirror else None,
        preview=shown[0] if shown else None,
    )


def forwarding(view: DeploymentView, status: DeploymentStatus) -> Forwarding:
    """How requests are forwarded, by the spec and by what the revisions allow themselves."""
    entries = [entry for entry in (status.stable, status.candidate, *status.retiring) if entry is not None]
    found = [revision.find(view.snapshot, entry.revision) for entry in entries]
    runtimes = [view.spec.runtime, *(one.runtime for one in found if one is not None)]
    return Forwarding.from_spec(view.spec.router, [seconds(runtime.response_timeout) for runtime in runtimes])


def topology(view: DeploymentView, status: DeploymentStatus) -> Topology:
    """All of a split but the shares: what exists behind and in front of the routers.

    Routers apply these changes separately from the shares. So no share rises in the same version as a change of
    topology: if a router refuses the topology, requests must not shift.
    """
    wanted = traffic(view, status)
    return wanted.backends, wanted.preview, forwarding(view, status)


def _reachable(entry: RevisionStatus, status: DeploymentStatus) -> bool:
    """True for a revision that receives the requests which choose it by name."""
    return entry.weight > 0 or (entry is status.candidate and (status.stable is None or entry.ready_replicas > 0))


def _number(version: str) -> int:
    number = version.rpartition("-")[0]
    return int(number) if number.isdecimal() else 0


def _backend(view: DeploymentView, name: str) -> Backend:
    # Only one pod or several matters: scaling from 2 to 5 must not change the configuration.
    return Backend(name, revision.object_name(view.snapshot.name, name), min(view.replicas, 2))
