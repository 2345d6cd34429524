"""What Kubernetes' Events say about the pods of a Job, and which Nodes take no new pods now."""

from typing import Protocol

from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot
from lamplighter.engine.index import Index
from lamplighter.engine.questions import Reader
from lamplighter.training.failures.pod_events import POD_EVENTS

NAME = POD_EVENTS


class EventLister(Protocol):
    """Lists Events."""

    async def pod_events(self, namespace: str, job: str) -> list[Obj]:
        """The Events (events.k8s.io/v1) about pods of this Job, but not those that tell how they start."""


def reader(lister: EventLister, index: Index) -> Reader:
    """Answers with ``items``, the Events, and ``closedNodes``, the names of the Nodes that take no new pods now."""

    async def read(target: Ref, snapshot: Snapshot) -> Obj:
        del snapshot
        events = await lister.pod_events(target.namespace, target.name)
        return {"items": events, "closedNodes": index.closed_nodes()}

    return read
