"""An API server in memory, as far as a reconcile can tell: uids, resource versions, conflicts, watches that lag."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from typing import Any

from tests.builders.objects import NAMESPACE, Obj
from tests.builders.scene import merge

from lamplighter.core.objects import Ref
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.traffic.envoy.pods import STATUS
from lamplighter.engine.api import ApiError
from lamplighter.engine.questions import Readers
from lamplighter.engine.resources import PRIMARY
from lamplighter.training.failures.pod_events import POD_EVENTS

Place = tuple[str, str]


class Killed(BaseException):
    """The operator's process is no more."""


class Server:
    """Holds the objects of one namespace. The async methods are the operator's; each write of it may be its last."""

    def __init__(self) -> None:
        self.objects: dict[Place, Obj] = {}
        self.streams: defaultdict[str, deque[tuple[str, Obj]]] = defaultdict(deque)
        self.created: Counter[tuple[str, str]] = Counter()
        self.writes = 0
        self.die_at: int | None = None
        self.fault: str | None = None
        self.refused: set[str] = set()
        """Kinds of which nothing can be created, as where a quota is used up."""
        self.answer: Callable[[str], Obj | None] = lambda _pod: None
        self.watch_writes: Callable[[str, Obj], None] = lambda _verb, _obj: None
        self._versions = count(1)
        self._uids = count(1)

    # what people and controllers do

    def put(self, obj: Obj) -> Obj:
        """Create an object, or replace one and keep its identity. Without a change nobody is told."""
        old = self.objects.get(_place(obj))
        stored = deepcopy(obj)
        meta = stored["metadata"]
        meta["namespace"] = NAMESPACE
        meta["uid"] = old["metadata"]["uid"] if old else f"uid-{next(self._uids):04d}"
        meta["generation"] = old["metadata"]["generation"] if old else 1
        if old and old.get("spec") != stored.get("spec"):
            meta["generation"] += 1
        if old and {**stored, "metadata": {**meta, "resourceVersion": old["metadata"]["resourceVersion"]}} == old:
            return old
        return self._store("MODIFIED" if old else "ADDED", stored)

    def change(self, place: Place, update: Callable[[Obj], None]) -> None:
        """Change an object that may exist."""
        if place in self.objects:
            obj = deepcopy(self.objects[place])
            update(obj)
            self.put(obj)

    def remove(self, place: Place) -> None:
        """Delete an object that may exist, and its pods with it."""
        obj = self.objects.pop(place, None)
        if obj is None:
            return
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self._tell("DELETED", obj)
        for pod in self.owned("Pod", obj["metadata"]["uid"]):
            self.remove(_place(pod))

    def collect_garbage(self) -> None:
        """Delete what belongs to owners that are gone."""
        alive = {obj["metadata"]["uid"] for obj in self.objects.values()}
        for place, obj in list(self.objects.items()):
            if any(owner["uid"] not in alive for owner in obj["metadata"].get("ownerReferences", ())):
                self.remove(place)

    def owned(self, kind: str, uid: str) -> list[Obj]:
        """All objects of a kind that this object controls."""
        return [
            obj
            for (its_kind, _), obj in sorted(self.objects.items())
            if its_kind == kind and any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences", ()))
        ]

    # what the operator does

    async def get(self, ref: Ref) -> Obj | None:
        """The object, or None."""
        return deepcopy(self.objects.get((ref.kind, ref.name)))

    async def create(self, obj: Obj) -> Obj:
        """POST."""
        return self._write("create", obj, lambda: self._create(obj))

    async def patch(self, obj: Obj) -> Obj:
        """Merge a partial object; refused when the uid is not the object's."""
        return self._write("patch", obj, lambda: self._patch(obj))

    async def replace_status(self, obj: Obj) -> Obj:
        """PUT the status; refused when the resource version is not the newest."""
        return self._write("status", obj, lambda: self._replace_status(obj))

    async def delete(self, ref: Ref) -> None:
        """DELETE the object with this uid; nothing when it is gone."""
        known = self.objects.get((ref.kind, ref.name))
        if known is not None and known["metadata"]["uid"] == ref.uid:
            self._write("delete", known, lambda: self.remove((ref.kind, ref.name)))

    @property
    def readers(self) -> Readers:
        """Router pods say what they do. There are no Events here, and the pods of models do not answer."""
        return {STATUS: self._router_status, POD_EVENTS: _no_events}

    async def _router_status(self, target: Ref, snapshot: Snapshot) -> Obj | None:
        return deepcopy(self.answer(target.name)) if snapshot.owned("Pod", target.name) else None

    def _write(self, verb: str, obj: Obj, do: Callable[[], Any]) -> Any:
        if self.die_at is not None:
            if self.die_at == 0:
                raise Killed
            self.die_at -= 1
        if obj["kind"] == "Event":
            return obj
        fault, self.fault = self.fault, None
        if fault == "lost":
            raise ApiError(0, "TimeoutError", "no answer in time")
        self.watch_writes(verb, obj)
        answer = do()
        self.writes += 1
        if fault == "unanswered":
            raise ApiError(0, "TimeoutError", "no answer in time")
        return answer

    def _create(self, obj: Obj) -> Obj:
        if _place(obj) in self.objects:
            raise ApiError(409, "AlreadyExists", "exists")
        if obj["kind"] in self.refused:
            raise ApiError(422, "Invalid", "spec.template: refused")
        if obj["kind"] == "Job":
            self.created[obj["metadata"]["ownerReferences"][0]["uid"], obj["metadata"]["name"]] += 1
        return deepcopy(self.put(obj))

    def _patch(self, obj: Obj) -> Obj:
        known = self.objects.get(_place(obj))
        if known is None:
            raise ApiError(404, "NotFound", "not found")
        if known["metadata"]["uid"] != obj["metadata"]["uid"]:
            raise ApiError(409, "Conflict", "the uid is another one")
        changed = deepcopy(known)
        merge(changed, {key: value for key, value in obj.items() if key != "metadata"})
        merge(changed["metadata"], {"annotations": obj["metadata"].get("annotations", {})})
        return deepcopy(self.put(changed))

    def _replace_status(self, obj: Obj) -> Obj:
        known = self.objects.get(_place(obj))
        if known is None:
            raise ApiError(404, "NotFound", "not found")
        if known["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return deepcopy(self._store("MODIFIED", deepcopy(known) | {"status": deepcopy(obj["status"])}))

    def _store(self, event: str, obj: Obj) -> Obj:
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[_place(obj)] = obj
        self._tell(event, obj)
        return obj

    def _tell(self, event: str, obj: Obj) -> None:
        ours = "app.kubernetes.io/managed-by" in obj["metadata"].get("labels", {})
        if obj["kind"] in (*PRIMARY, "Node") or ours:
            self.streams[obj["kind"]].append((event, deepcopy(obj)))


def _place(obj: Obj) -> Place:
    return obj["kind"], obj["metadata"]["name"]


async def _no_events(target: Ref, snapshot: Snapshot) -> Obj:
    del target, snapshot
    return {"items": [], "closedNodes": []}
