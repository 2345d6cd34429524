"""Kubernetes objects as plain dicts, and the few questions that all modules ask about them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Obj = dict[str, Any]
"""A Kubernetes object, shaped like its YAML."""
RFC3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})"
"""The shape of a moment that both the API server and the operator can read."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Points at one object. ``uid`` guards a delete or a patch against a newer object of the same name.

    ``force``: delete it without waiting for its Node; only for pods whose Node does not respond any more.
    """

    kind: str
    namespace: str
    name: str
    uid: str | None = None
    force: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def ref(obj: Obj) -> Ref:
    """The reference of an object, with its uid when it has one."""
    meta = obj["metadata"]
    return Ref(obj["kind"], meta["namespace"], meta["name"], meta.get("uid"))


def partial(obj: Obj, annotations: dict[str, str] | None = None, **body: Any) -> Obj:
    """A partial object for ``Plan.patch``: these fields and annotations, merged only into this very object."""
    meta = {field: obj["metadata"][field] for field in ("name", "namespace", "uid")}
    notes = {"annotations": annotations} if annotations else {}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta | notes, **body}


def controller_uid(obj: Obj) -> str | None:
    """The uid of the owner that controls the object."""
    for owner in obj["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def controlled_by(obj: Obj, kind: str, name: str) -> bool:
    """True when the owner that controls the object is this one."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and (owner["kind"], owner["name"]) == (kind, name) for owner in owners)


def labels(obj: Obj) -> dict[str, str]:
    """The object's labels; empty when it has none."""
    return obj["metadata"].get("labels") or {}


def annotations(obj: Obj) -> dict[str, str]:
    """The object's annotations; empty when it has none."""
    return obj["metadata"].get("annotations") or {}


def condition(obj: Obj, kind: str) -> Obj | None:
    """The condition of this type when it is True, otherwise None."""
    for entry in obj.get("status", {}).get("conditions") or ():
        if entry["type"] == kind and entry["status"] == "True":
            return dict(entry)
    return None


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, for what is measured in fractions of a second."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The reverse of :func:`timestamp` and :func:`exact`."""
    return datetime.fromisoformat(text)
