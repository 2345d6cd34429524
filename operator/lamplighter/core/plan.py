"""What a reconcile reads and what it decides. ``plan(snapshot, now) -> Plan`` is pure; the engine does the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lamplighter.core.naming import OWNER_UID
from lamplighter.core.objects import Obj, Ref, controller_uid, labels


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about the reconciled object. Sent once, at a transition, after the status that tells of it."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def soonest(*waits: float | None) -> float | None:
    """The shortest of these waits; None when nobody waits."""
    return min((wait for wait in waits if wait is not None), default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: create, patch, status, events, delete.

    ``create`` holds waves: the objects of one wave are sent at the same time, a wave after the one before it, and
    perhaps not before a new plan was made.
    ``patch`` holds partial objects with their ``metadata.uid``: merged, refused when the object is another one by now.
    ``status`` replaces the status; None leaves it. ``delete`` holds only what the status that was
    read already tells of.
    """

    create: tuple[tuple[Obj, ...], ...] = ()
    patch: tuple[Obj, ...] = ()
    status: Obj | None = None
    events: tuple[Event, ...] = ()
    delete: tuple[Ref, ...] = ()
    requeue_after: float | None = None

    def again(self, *after: float | None) -> "Plan":
        """The plan, with a look at the object after so many seconds at the latest; None asks for nothing."""
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
    None: nobody watches Nodes, or what the watch tells of them now says nothing.
    ``report`` is what a pod said last about its progress (see progress.py), None when none has.
    """

    obj: Obj
    children: Mapping[tuple[str, str], Obj] = field(default_factory=dict)
    related: Mapping[tuple[str, str], Obj] = field(default_factory=dict)
    nodes: Mapping[str, Obj] | None = None
    report: Obj | None = None

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
        """Told by the controller, not by labels, which `kubectl expose` copies; what controls a pod is made for us."""
        if obj["kind"] == "Pod":
            return labels(obj).get(OWNER_UID) == self.uid
        return controller_uid(obj) == self.uid
