"""What a reconcile reads and what it decides. ``plan(view) -> Plan`` is pure; the engine does the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lamplighter.core.naming import OWNER_UID
from lamplighter.core.objects import Obj, Ref, controller_uid, labels
from lamplighter.core.report import ProgressReport


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about the reconciled object, sent once, at a transition, after the status is written."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def soonest(*waits: float | None) -> float | None:
    """The shortest of these waits; None when there is none."""
    return min((wait for wait in waits if wait is not None), default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: create, patch, status, events, delete.

    ``create`` holds waves: the objects of one wave are created at the same time, and each wave after the previous one,
    perhaps only by a later plan. ``patch`` holds partial objects with their ``metadata.uid``: they are merged, and
    rejected if the name belongs to another object by now. ``status`` replaces the status; None leaves it. ``delete``
    holds only objects whose end the status, as it was read, already records.
    """

    create: tuple[tuple[Obj, ...], ...] = ()
    patch: tuple[Obj, ...] = ()
    status: Obj | None = None
    events: tuple[Event, ...] = ()
    delete: tuple[Ref, ...] = ()
    requeue_after: float | None = None

    def again(self, *after: float | None) -> "Plan":
        """The plan, with another reconcile after the shortest of these seconds; None asks for none."""
        return replace(self, requeue_after=soonest(self.requeue_after, *after))

    @property
    def empty(self) -> bool:
        """True when there is nothing to write."""
        return not (any(self.create) or self.patch or self.status or self.events or self.delete)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The object, everything it owns, and what it asked to read, all as of one moment.

    ``children`` and ``related`` are keyed by (kind, name); a related object that does not exist is absent.
    ``nodes`` holds the Nodes that the pods among the children are bound to, by name; one that is gone is absent.
    None: Nodes are not watched, or their states say nothing now.
    ``report`` is what a pod said last about its progress (see report.py), None when none has.
    """

    obj: Obj
    children: Mapping[tuple[str, str], Obj] = field(default_factory=dict)
    related: Mapping[tuple[str, str], Obj] = field(default_factory=dict)
    nodes: Mapping[str, Obj] | None = None
    report: ProgressReport | None = None

    @property
    def namespace(self) -> str:
        """The namespace of the object and of all its children."""
        return str(self.obj["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.obj["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.obj["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """The generation of the spec that was read."""
        return int(self.obj["metadata"].get("generation", 0))

    def owned(self, kind: str, name: str) -> Obj | None:
        """The child of this kind and name, watched or read, if it is ours and not an earlier object's of our name."""
        for known in (self.children, self.related):
            candidate = known.get((kind, name))
            if candidate is not None and self._ours(candidate):
                return candidate
        return None

    def all_owned(self, kind: str, **having: str) -> list[Obj]:
        """All our children of a kind that carry these labels (``{"lamplighter.dev/run": "1"}``), by name."""
        return [
            obj
            for (its_kind, _), obj in sorted(self.children.items())
            if its_kind == kind and self._ours(obj) and having.items() <= labels(obj).items()
        ]

    def _ours(self, obj: Obj) -> bool:
        """Checks the controller, not labels, which `kubectl expose` copies; the controller of a pod is a child."""
        if obj["kind"] == "Pod":
            return labels(obj).get(OWNER_UID) == self.uid
        return controller_uid(obj) == self.uid
