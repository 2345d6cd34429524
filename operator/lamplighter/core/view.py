"""An object as it was read and parsed at one moment: what planning functions work with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from lamplighter.api.deployment import DeploymentSpec, DeploymentStatus
from lamplighter.api.training import TrainingSpec, TrainingStatus
from lamplighter.core.conditions import summarize
from lamplighter.core.objects import Obj, Ref, moment
from lamplighter.core.plan import Event, Plan, Snapshot

Spec = TypeVar("Spec", TrainingSpec, DeploymentSpec)
Status = TypeVar("Status", TrainingStatus, DeploymentStatus)


@dataclass(frozen=True)
class View(Generic[Spec, Status]):
    """A snapshot with the spec and status of its object parsed, as of ``now``."""

    snapshot: Snapshot
    spec: Spec
    status: Status
    now: datetime

    @property
    def deleted(self) -> bool:
        """True when the object is being deleted: what it owns goes with it."""
        return "deletionTimestamp" in self.snapshot.obj["metadata"]

    def age(self, since: str) -> float:
        """Seconds since a moment that a status tells."""
        return (self.now - moment(since)).total_seconds()

    def draft(self) -> Status:
        """A copy of the status to be changed."""
        return self.status.model_copy(deep=True)

    def summarize(
        self, status: Status, *, ready: bool, progressing: bool, stalled: bool, reason: str, message: str
    ) -> None:
        """Set the kstatus conditions of a draft: see :func:`lamplighter.core.conditions.summarize`."""
        summarize(
            status.conditions,
            ready=ready,
            progressing=progressing,
            stalled=stalled,
            reason=reason,
            message=message,
            generation=self.snapshot.generation,
            now=self.now,
        )

    def plan(
        self,
        status: Status,
        *,
        create: tuple[tuple[Obj, ...], ...] = (),
        patch: tuple[Obj, ...] = (),
        events: tuple[Event, ...] = (),
        delete: tuple[Ref, ...] = (),
        requeue_after: float | None = None,
    ) -> Plan:
        """A plan that writes this status; if it is unchanged, neither the status nor the events are written."""
        status.observed_generation = self.snapshot.generation
        same = status == self.status
        return Plan(
            create=create,
            patch=patch,
            status=None if same else status.model_dump(mode="json", exclude_none=True),
            events=() if same else events,
            delete=delete,
            requeue_after=requeue_after,
        )
