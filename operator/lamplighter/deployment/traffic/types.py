"""Which revision receives which requests, and how they are forwarded: what a rollout decides, whatever the router."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

from lamplighter.api.common import seconds
from lamplighter.api.router import Router
from lamplighter.core.naming import digest

_SHORTEST, _LONGEST = 0.001, 86400.0
"""Seconds. A router may take zero for 'never', or refuse it, and refuses what its clocks cannot hold."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision that routers know. ``host``: DNS name of its headless Service. ``max_ready``: its pods, at most."""

    revision: str
    host: str
    max_ready: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Which revision receives which requests. A backend that is in no route is warming up or draining.

    A route and its backend must not come in the same step, nor go in the same: a router reads clusters and routes
    one after the other, and a cluster is warm only when its pods have been looked up and checked.

    ``weights``: percent by revision, 100 in all; empty while nothing serves.
    ``pins``: revisions that a request may choose by header or cookie, whatever their weight.
    ``mirror``: a revision and the percent of requests it receives a copy of; what it answers is dropped.
    ``preview``: the revision behind the preview port.
    """

    backends: tuple[Backend, ...] = ()
    weights: tuple[tuple[str, int], ...] = ()
    pins: tuple[str, ...] = ()
    mirror: tuple[str, int] | None = None
    preview: str | None = None

    def __post_init__(self) -> None:
        if self.weights and sum(weight for _, weight in self.weights) != 100:
            raise ValueError(f"the weights {dict(self.weights)} are not 100 in all")
        if missing := self.routed - {backend.revision for backend in self.backends}:
            raise ValueError(f"no backend for the revisions {sorted(missing)}, which are to receive requests")

    @property
    def routed(self) -> frozenset[str]:
        """All revisions that may receive a request."""
        weighted = {revision for revision, weight in self.weights if weight}
        copied = {self.mirror[0]} if self.mirror and self.mirror[1] and weighted else set()
        shown = {self.preview} if self.preview else set()
        return frozenset({*weighted, *self.pins, *copied, *shown})


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How requests are forwarded, whoever receives them. Times are seconds."""

    timeout: float
    max_requests: int = 1024
    max_connections: int = 1024
    access_log: bool = False
    consecutive_failures: int = 5
    interval: float = 10.0
    ejection_time: float = 30.0
    max_ejected: int = 50

    @classmethod
    def from_spec(cls, router: Router, response_timeouts: Iterable[float]) -> Self:
        """What ``spec.router`` asks for. ``response_timeouts``: of all revisions that are routed to, in seconds.

        TorchServe has to time out first, for it then says why and restarts its worker.
        """
        derived = max(response_timeouts, default=60.0) + 1.0
        return cls(
            timeout=_bounded(seconds(router.timeout) if router.timeout else derived),
            max_requests=router.max_requests,
            max_connections=router.max_connections,
            access_log=router.access_log,
            consecutive_failures=router.outlier.consecutive_failures,
            interval=_bounded(seconds(router.outlier.interval)),
            ejection_time=_bounded(seconds(router.outlier.ejection_time)),
            max_ejected=router.outlier.max_ejected,
        )


def fingerprint(traffic: Traffic, forwarding: Forwarding) -> str:
    """Eight hexadecimal digits that name what routers are to do.

    How a router's configuration words it does not count, nor what is left at its default: a newer operator that does
    either in another way changes nothing of what runs.
    """
    split = {
        "backends": sorted([backend.revision, backend.host, backend.max_ready] for backend in traffic.backends),
        "weights": sorted(entry for entry in traffic.weights if entry[1]),
        "pins": sorted(traffic.pins),
        "mirror": traffic.mirror,
        "preview": traffic.preview,
    }
    chosen = {field.name: getattr(forwarding, field.name) for field in fields(forwarding)}
    defaults = {field.name: field.default for field in fields(forwarding)}
    return digest([split, {name: value for name, value in chosen.items() if value != defaults[name]}])


def _bounded(value: float) -> float:
    return min(max(value, _SHORTEST), _LONGEST)
