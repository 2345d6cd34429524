"""An in-memory copy of every object that matters, from the watches and from our own writes.

Only the fields that plans read are kept. The answer to a write is stored at once, so that the next plan sees it before
its watch event arrives. A watch event that is older than the stored object is dropped.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from lamplighter.core.naming import MANAGED_BY, MANAGER, OWNER_LABEL
from lamplighter.core.objects import Obj, Ref, condition, labels
from lamplighter.core.plan import Snapshot
from lamplighter.core.report import ProgressReport
from lamplighter.engine.pruning import prune, same
from lamplighter.engine.queue import Key

MOST = 0.55
"""When a larger share of Nodes is silent at once, the fault is not theirs; Kubernetes stops evicting there, too."""
References = Callable[[Obj], Iterable[Ref]]


class Index:
    """Primary objects, the children of each, and which primary object depends on which."""

    def __init__(
        self,
        references: dict[str, References] | None = None,
        changed: Callable[[Key], None] = lambda _: None,
        *,
        with_nodes: bool = False,
    ) -> None:
        """``references`` gives, per kind, the other primary objects that an object depends on.

        ``changed`` is called with each key to reconcile because of what :meth:`learn` stored. ``with_nodes``: Nodes are
        put, too, so that an unknown one is gone.
        """
        self._changed = changed
        self._nodes: dict[str, Obj] | None = {} if with_nodes else None
        self._silent: set[str] = set()
        self._reports: dict[Key, ProgressReport] = {}
        self._primary: dict[Key, Obj] = {}
        self._children: defaultdict[Key, dict[tuple[str, str], Obj]] = defaultdict(dict)
        self._references = references or {}
        self._dependents: defaultdict[Key, set[Key]] = defaultdict(set)
        self._depends_on: dict[Key, set[Key]] = {}
        self._pod_owners: dict[tuple[str, str], Key] = {}

    def put(self, obj: Obj) -> set[Key]:
        """Store an object. Returns the keys to reconcile; none when nothing has changed that a plan reads."""
        if obj["kind"] == "Node":
            return self._put_node(obj)
        key = _key(obj)
        if key.kind in OWNER_LABEL:
            return self._put_primary(key, obj)
        owner = owner_key(obj)
        if owner is None:
            return set()
        siblings = self._children[owner]
        place = (key.kind, key.name)
        known = siblings.get(place)
        if not _newer(obj, known):
            return set()
        siblings[place] = kept = prune(obj)
        if key.kind == "Pod":
            self._pod_owners[key.namespace, key.name] = owner
        return set() if known is not None and same(known, kept) else {owner}

    def learn(self, obj: Obj) -> None:
        """Store the answer to one of our own requests.

        Its watch event will change nothing and queue no keys, so they are queued now.
        """
        for key in self.put(obj):
            self._changed(key)

    def remove(self, obj: Obj) -> set[Key]:
        """Remove a deleted object. Returns the keys to reconcile."""
        if obj["kind"] == "Node":
            return self._remove_node(obj["metadata"]["name"])
        key = _key(obj)
        uid = obj["metadata"].get("uid")
        if key.kind in OWNER_LABEL:
            known = self._primary.get(key)
            if known is not None and known["metadata"]["uid"] == uid:
                del self._primary[key]
                self._reports.pop(key, None)
                self._link(key, set())
            return {key, *self._dependents.get(key, ())}
        owner = owner_key(obj)
        if owner is None:
            return set()
        siblings = self._children.get(owner, {})
        known = siblings.get((key.kind, key.name))
        if known is not None and known["metadata"]["uid"] == uid:
            del siblings[key.kind, key.name]
            if key.kind == "Pod":
                self._pod_owners.pop((key.namespace, key.name), None)
            if not siblings:
                del self._children[owner]
        return {owner}

    def sweep(
        self, kind: str, namespace: str | None, listed: set[tuple[str, str]], version: str | None = None
    ) -> set[Key]:
        """Forget the objects of a kind that a listing of the namespace (None: all) no longer contains.

        They were deleted while the watch was interrupted. ``version``: the listing's; an object that is newer, such as
        one that was just created, stays. Returns the keys to reconcile.
        """
        if kind == "Node":
            known = list((self._nodes or {}).values())
        elif kind in OWNER_LABEL:
            known = [obj for key, obj in self._primary.items() if key.kind == kind]
        else:
            every = (obj for siblings in self._children.values() for obj in siblings.values())
            known = [obj for obj in every if obj["kind"] == kind]
        keys: set[Key] = set()
        for obj in known:
            place = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if place not in listed and namespace in (None, place[0]) and not _made_after(version, obj):
                keys |= self.remove(obj)
        return keys

    def get(self, key: Key) -> Obj | None:
        """A primary object."""
        return self._primary.get(key)

    def closed_nodes(self) -> list[str]:
        """Names of the Nodes that are cordoned, for example while they are drained."""
        return sorted(name for name, node in (self._nodes or {}).items() if node["spec"].get("unschedulable"))

    def snapshot(self, key: Key) -> Snapshot | None:
        """The object and its children as they are stored now; None when it does not exist."""
        obj = self._primary.get(key)
        if obj is None:
            return None
        children = dict(self._children.get(key, {}))
        return Snapshot(obj, children, nodes=self._nodes_of(children), report=self._reports.get(key))

    def child(self, key: Key, kind: str, name: str) -> Obj | None:
        """One child of an object."""
        return self._children.get(key, {}).get((kind, name))

    def pod(self, namespace: str, name: str) -> tuple[Key, Obj] | None:
        """A pod, and the primary object that its labels name; None when it is not known."""
        owner = self._pod_owners.get((namespace, name))
        pod = None if owner is None else self.child(owner, "Pod", name)
        return None if owner is None or pod is None else (owner, pod)

    def report(self, key: Key) -> ProgressReport | None:
        """The last report of a pod of this object."""
        return self._reports.get(key)

    def note(self, key: Key, report: ProgressReport) -> None:
        """Store the report of a pod of this object in place of the previous one."""
        if key in self._primary:
            self._reports[key] = report

    def reports(self) -> Iterator[tuple[Key, ProgressReport]]:
        """The last report of each object that has one."""
        return iter(list(self._reports.items()))

    def keys(self) -> Iterator[Key]:
        """All primary objects."""
        return iter(list(self._primary))

    def _put_primary(self, key: Key, obj: Obj) -> set[Key]:
        if not _newer(obj, self._primary.get(key)):
            return set()
        self._primary[key] = pruned = prune(obj)
        refs = self._references.get(key.kind)
        if refs is not None:
            self._link(key, {Key(ref.kind, ref.namespace, ref.name) for ref in refs(pruned)})
        return {key, *self._dependents.get(key, ())}

    def _put_node(self, obj: Obj) -> set[Key]:
        name = obj["metadata"]["name"]
        known = None if self._nodes is None else self._nodes.get(name)
        if self._nodes is None or not _newer(obj, known):
            return set()
        was_cut_off = self._cut_off
        self._nodes[name] = node = prune(obj)
        (self._silent.discard if condition(node, "Ready") else self._silent.add)(name)
        # Most events of a Node are heartbeats.
        same = known is not None and known.get("status") == node.get("status")
        return set() if same else self._owners_on(name, *(self._silent if was_cut_off != self._cut_off else ()))

    def _remove_node(self, name: str) -> set[Key]:
        if self._nodes is None or name not in self._nodes:
            return set()
        was_cut_off = self._cut_off
        del self._nodes[name]
        self._silent.discard(name)
        return self._owners_on(name, *(self._silent if was_cut_off != self._cut_off else ()))

    @property
    def _cut_off(self) -> bool:
        """True when more Nodes are silent than fail at once: it is the network between them and the API server."""
        return self._nodes is not None and len(self._silent) > MOST * len(self._nodes)

    def _nodes_of(self, children: dict[tuple[str, str], Obj]) -> dict[str, Obj] | None:
        """The Nodes of these pods; None when Nodes are not watched, or when their states say nothing now."""
        if self._nodes is None or self._cut_off:
            return None
        names = {child["spec"].get("nodeName", "") for (kind, _), child in children.items() if kind == "Pod"}
        return {name: self._nodes[name] for name in names if name in self._nodes}

    def _owners_on(self, *nodes: str) -> set[Key]:
        """The owners of pods on these Nodes. Node states seldom change, so no index is kept for this."""
        return {
            owner
            for owner, siblings in self._children.items()
            if any(kind == "Pod" and pod["spec"].get("nodeName") in nodes for (kind, _), pod in siblings.items())
        }

    def _link(self, key: Key, targets: set[Key]) -> None:
        for old in self._depends_on.pop(key, set()) - targets:
            self._dependents[old].discard(key)
            if not self._dependents[old]:
                del self._dependents[old]
        for target in targets:
            self._dependents[target].add(key)
        if targets:
            self._depends_on[key] = targets


def owner_key(obj: Obj) -> Key | None:
    """The primary object that a child belongs to, by its labels; None when it is not one of ours."""
    marks = labels(obj)
    if marks.get(MANAGED_BY) != MANAGER:
        return None
    for kind, label in OWNER_LABEL.items():
        if label in marks:
            return Key(kind, obj["metadata"]["namespace"], marks[label])
    return None


def _key(obj: Obj) -> Key:
    return Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def _newer(obj: Obj, known: Obj | None) -> bool:
    """Resource versions are ordered within a kind (KEP-5504), also between objects that reuse a name."""
    return known is None or int(obj["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])


def _made_after(version: str | None, obj: Obj) -> bool:
    return version is not None and int(obj["metadata"]["resourceVersion"]) > int(version)
