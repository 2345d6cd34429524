"""What all builders have in common: an object that is changed in place, and the clock of the tests."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

Obj = dict[str, Any]

NAMESPACE = "team"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """The moment ``seconds`` after the tests' NOW (before it when negative)."""
    return NOW + timedelta(seconds=seconds)


def at(seconds: float = 0.0) -> str:
    """The same as Kubernetes writes it."""
    return later(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def uid_of(kind: str, name: str, life: int = 1) -> str:
    """A uid that is the same in every test run; ``life`` tells objects apart that followed each other by name."""
    return str(uuid5(NAMESPACE_URL, f"{kind}/{name}/{life}"))


def owned_by(owner: Obj) -> list[Obj]:
    """The owner reference of a child."""
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


class Builder:
    """An object under construction."""

    def __init__(self, api_version: str, kind: str, name: str, **body: Any) -> None:
        meta = {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid_of(kind, name),
            "resourceVersion": "1",
            "generation": 1,
        }
        self._obj: Obj = {"apiVersion": api_version, "kind": kind, "metadata": meta, **body}

    def obj(self) -> Obj:
        """The object; the builder may be used on."""
        return deepcopy(self._obj)

    def meta(self, **fields: Any) -> Self:
        """With these fields of the metadata, spelled as in YAML."""
        self._obj["metadata"].update(fields)
        return self

    def made_again(self) -> Self:
        """Deleted and created under the same name."""
        return self.meta(uid=uid_of(self._obj["kind"], self._obj["metadata"]["name"], life=2))

    def in_namespace(self, namespace: str) -> Self:
        """In another namespace."""
        return self.meta(namespace=namespace)

    def annotated(self, annotations: dict[str, str]) -> Self:
        """With more annotations."""
        self._obj["metadata"].setdefault("annotations", {}).update(annotations)
        return self

    def being_deleted(self) -> Self:
        """Deleted, but held by a finalizer."""
        return self.meta(deletionTimestamp=at())

    def spec(self, **fields: Any) -> Self:
        """With these fields of the spec, spelled as in YAML."""
        self._obj["spec"].update(fields)
        return self

    def status(self, **fields: Any) -> Self:
        """With these fields of the status, spelled as in YAML."""
        self._obj.setdefault("status", {}).update(fields)
        return self

    def condition(self, kind: str, *, status: str = "True", since: float = 0.0, **more: Any) -> Self:
        """With a condition in its status, ``since`` seconds after NOW."""
        entry = {"type": kind, "status": status, "lastTransitionTime": at(since), **more}
        self._obj.setdefault("status", {}).setdefault("conditions", []).append(entry)
        return self
