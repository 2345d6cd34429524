"""The split of the requests: what every router pod should do, and what each says that it does. Pure.

A router pod tells which version of the configuration it follows, how many pods of each revision it finds healthy, and
how many requests are under way. The engine asks it when a plan wants to know (see :func:`questions`).
"""

from dataclasses import dataclass

from lamplighter.api.common import seconds
from lamplighter.api.deployment import DeploymentStatus, RevisionStatus
from lamplighter.api.router import Share
from lamplighter.core import pods
from lamplighter.core.naming import CONFIG
from lamplighter.core.objects import Obj, Ref, annotations
from lamplighter.core.plan import READING, Snapshot
from lamplighter.deployment import strategy
from lamplighter.deployment.serving import revision
from lamplighter.deployment.serving.health import lost
from lamplighter.deployment.traffic import types as forwarding
from lamplighter.deployment.traffic.envoy import config, router
from lamplighter.deployment.traffic.envoy.stats import Reading, reading
from lamplighter.deployment.traffic.types import Backend, Options, Traffic
from lamplighter.deployment.view import DeploymentView


@dataclass(frozen=True, slots=True)
class Routers:
    """What the router pods said.

    ``config``: the version that they should have by the status that was read.
    ``verified``: at least one is ready, and all that are ready follow the split that the status tells of.
    ``lingering_follow``: so do those that are not ready or being stopped, and may still have connections.
    """

    config: str
    wanted: int
    ready: int
    verified: bool
    lingering_follow: bool
    rejected: bool
    readings: tuple[Reading, ...] = ()
    leaving: tuple[Reading, ...] = ()

    def healthy(self, name: str) -> int:
        """How many pods of a revision every router pod finds healthy."""
        return min((reading.healthy.get(name, 0) for reading in self.readings), default=0)

    def active(self, name: str) -> int:
        """How many requests a revision is answering now."""
        return sum(reading.active.get(name, 0) for reading in (*self.readings, *self.leaving))


def questions(snapshot: Snapshot) -> list[Ref]:
    """The router pods that have to be asked."""
    status = snapshot.obj.get("status") or {}
    if _settled(status):
        return []
    return [
        Ref(READING, snapshot.namespace, pod["metadata"]["name"])
        for pod in router.pods(snapshot)
        if _ready(pod) or _lingers(pod)
    ]


def _settled(status: Obj) -> bool:
    """True when nothing is on its way and all routers have said what they do: nobody needs to be asked again."""
    on_the_move = status.get("candidate") or status.get("retiring")
    return not on_the_move and bool((status.get("router") or {}).get("verified"))


def traffic(view: DeploymentView, status: DeploymentStatus) -> Traffic:
    """The split that a status asks for.

    A revision beside another one is routed to no earlier than some of its pods are ready: routers have known it long
    enough by then. One that has given everything to its candidate is on its way out: that it leaves changes nothing.
    """
    stable, candidate = status.stable, status.candidate
    active = [entry for entry in (stable, candidate) if entry is not None]
    reachable = [entry.revision for entry in active if _reachable(entry, status)]
    present = sorted([*(entry.revision for entry in active), *(entry.revision for entry in status.retiring)])
    shown = reachable[-1:] if strategy.of(view.spec.strategy).preview else []
    return Traffic(
        backends=tuple(_backend(view, name) for name in dict.fromkeys(present)),
        weights=tuple((entry.revision, entry.weight) for entry in active if entry.weight),
        pins=tuple(reachable),
        mirror=(candidate.revision, candidate.mirror) if candidate and candidate.mirror else None,
        preview=shown[0] if shown else None,
    )


def frame(view: DeploymentView, status: DeploymentStatus) -> tuple[tuple[Backend, ...], str | None, Options]:
    """What a router's clusters and listeners follow from. It reads them and the shares one after the other.

    So no share rises together with another frame: should a router refuse that, requests must not shift.
    """
    wanted = traffic(view, status)
    return wanted.backends, wanted.preview, options(view, status)


def options(view: DeploymentView, status: DeploymentStatus) -> Options:
    """How requests are forwarded, by the spec and by what the revisions allow themselves."""
    entries = [entry for entry in (status.stable, status.candidate, *status.retiring) if entry is not None]
    found = [revision.find(view.snapshot, entry.revision) for entry in entries]
    runtimes = [view.spec.runtime, *(one.runtime for one in found if one is not None)]
    return forwarding.options(view.spec.router, [seconds(runtime.response_timeout) for runtime in runtimes])


def version(view: DeploymentView, status: DeploymentStatus) -> str:
    """The version of the configuration that a status asks for: ``<number>-<fingerprint>``.

    The number tells two apart that ask for the same, with another one between them: a router that has the first may
    still have the one between before it.
    """
    wanted = config.fingerprint(traffic(view, status), options(view, status))
    written = view.snapshot.owned("ConfigMap", router.router_name(view.snapshot.name))
    known = (annotations(written).get(CONFIG) if written is not None else None, view.status.router.config)
    last = max((known_version for known_version in known if known_version), key=_number, default="")
    return last if last and last.rpartition("-")[2] == wanted else f"{_number(last) + 1}-{wanted}"


def look(view: DeploymentView) -> Routers:
    """Compare what the router pods said with the split of the status that was read."""
    found = router.pods(view.snapshot)
    ready = [pod for pod in found if _ready(pod)]
    lingering = [pod for pod in found if _lingers(pod) and not lost(view, pod)]
    wanted = version(view, view.status)
    if _settled(view.snapshot.obj.get("status") or {}):
        known = view.status.router.verified and view.status.router.config == wanted
        return Routers(wanted, view.spec.router.replicas, len(ready), known, known, False)
    readings = tuple(_said(view, pod) for pod in ready)
    leaving = tuple(_said(view, pod) for pod in lingering)
    return Routers(
        config=wanted,
        wanted=view.spec.router.replicas,
        ready=len(ready),
        verified=bool(ready) and all(said.version == wanted for said in readings) and len(ready) >= _counted(view),
        lingering_follow=all(said.version == wanted for said in leaving),
        rejected=any(said.rejected and said.version != wanted for said in (*readings, *leaving)),
        readings=readings,
        leaving=leaving,
    )


def shares(traffic: Traffic) -> list[Share]:
    """The split, as the status tells it."""
    return [Share(revision=name, weight=weight) for name, weight in traffic.weights]


def _reachable(entry: RevisionStatus, status: DeploymentStatus) -> bool:
    """True for a revision that those who name it are sent to."""
    return entry.weight > 0 or (entry is status.candidate and (status.stable is None or entry.ready_replicas > 0))


def _number(version: str) -> int:
    number = version.rpartition("-")[0]
    return int(number) if number.isdecimal() else 0


def _backend(view: DeploymentView, name: str) -> Backend:
    # Whether there are more pods than one is all that matters: another number must be no other configuration.
    return Backend(name, router.host(view.snapshot, name), min(view.replicas, 2))


def _counted(view: DeploymentView) -> int:
    """How many ready router pods their Deployments count: a second witness, should we not know of one of them yet."""
    found = router.deployments(view.snapshot)
    return sum(int(deployment.get("status", {}).get("readyReplicas") or 0) for deployment in found)


def _said(view: DeploymentView, pod: Obj) -> Reading:
    return reading(view.snapshot.related.get((READING, pod["metadata"]["name"]), {}))


def _ready(pod: Obj) -> bool:
    return pods.ready(pod) and not _stopping(pod)


def _stopping(pod: Obj) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _lingers(pod: Obj) -> bool:
    """True for a pod that gets no new connections, and runs: those that it has may last."""
    runs = any("running" in status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses") or ())
    return _stopping(pod) or (runs and not _ready(pod))
