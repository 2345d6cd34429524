"""A scene: one object, what exists around it, and a clock. Plans are made and carried out, without any API."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from itertools import count
from typing import Self

from tests.builders.objects import NOW, Builder, Obj, later, uid_of

from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Ref
from lamplighter.core.plan import Event, Plan, Snapshot
from lamplighter.core.report import ProgressReport
from lamplighter.deployment import plan as deployment
from lamplighter.deployment.traffic.envoy.provider import ENVOY
from lamplighter.deployment.traffic.provider import TrafficProvider
from lamplighter.deployment.view import DeploymentOptions, DeploymentView
from lamplighter.training import plan as training
from lamplighter.training.reports import measured
from lamplighter.training.view import TrainingOptions

Cluster = Callable[["Scene"], None]
"""What the cluster does with what exists, as its controllers and kubelets do it."""


class Scene:
    """The state of a plan's test. What is passed in may be an object or a builder."""

    def __init__(self, obj: Obj | Builder, *around: Obj | Builder, cluster: Cluster = lambda _: None) -> None:
        self.obj = _built(obj)
        self.cluster = cluster
        self.deployment_options = DeploymentOptions()
        self.provider: TrafficProvider = ENVOY
        self.children: dict[tuple[str, str], Obj] = {}
        self.related: dict[tuple[str, str], Obj] = {}
        self.nodes: dict[str, Obj] | None = None
        self.report: ProgressReport | None = None
        self.options = TrainingOptions()
        self.now = NOW
        self.events: list[Event] = []
        self._lives = count(1)
        self.having(*around)

    def having(self, *around: Obj | Builder) -> Self:
        """These objects exist now; one that existed under the name is replaced."""
        for obj in map(_built, around):
            if obj["kind"] == self.obj["kind"]:
                self.obj = obj
            elif obj["kind"] == "Node":
                self.nodes = {**(self.nodes or {}), obj["metadata"]["name"]: obj}
            else:
                ours = "app.kubernetes.io/managed-by" in obj["metadata"].get("labels", {})
                place = self.children if ours else self.related
                place[obj["kind"], obj["metadata"]["name"]] = obj
        return self

    def without(self, kind: str, name: str) -> Self:
        """Somebody deletes an object, and with it its pods but for those that are stopping yet."""
        if kind == "Node":
            self.nodes = {node: obj for node, obj in (self.nodes or {}).items() if node != name}
            return self
        gone = self.children.pop((kind, name), None) or self.related.pop((kind, name))
        for place, pod in list(self.children.items()):
            owners = pod["metadata"].get("ownerReferences", [])
            stopping = "deletionTimestamp" in pod["metadata"]
            if place[0] == "Pod" and owners[0]["uid"] == gone["metadata"]["uid"] and not stopping:
                del self.children[place]
        return self

    def hearing(self, attempt: int = 1, run: int = 1, stage: str = "train", **report: object) -> Self:
        """A pod reports its progress."""
        self.report = ProgressReport(run, stage, attempt, measured(report))
        return self

    def after(self, seconds: float) -> Self:
        """Time passes: it is ``seconds`` after NOW."""
        self.now = later(seconds)
        return self

    def later(self, seconds: float) -> Self:
        """So many seconds pass."""
        self.now += timedelta(seconds=seconds)
        return self

    def edit(self, **spec: object) -> Self:
        """The user changes fields of the spec; None removes one."""
        fields = {**self.obj["spec"], **deepcopy(spec)}
        self.obj["spec"] = {key: value for key, value in fields.items() if value is not None}
        self.obj["metadata"]["generation"] += 1
        return self

    def annotate(self, **annotations: str | None) -> Self:
        """The user sets lamplighter.dev/<name>; None removes it."""
        notes = self.obj["metadata"].setdefault("annotations", {})
        for name, value in annotations.items():
            notes.pop(f"lamplighter.dev/{name}", None)
            if value is not None:
                notes[f"lamplighter.dev/{name}"] = value
        return self

    @property
    def snapshot(self) -> Snapshot:
        """All of it; copies, so that a plan cannot change the scene."""
        return Snapshot(
            deepcopy(self.obj),
            deepcopy(self.children),
            deepcopy(self.related),
            nodes=deepcopy(self.nodes),
            report=self.report,
        )

    @property
    def reads(self) -> list[Ref]:
        """What the plan wants to be read."""
        if self.obj["kind"] == "ModelTraining":
            return training.reads(training.view_of(self.snapshot, self.now, self.options))
        return deployment.reads(self._deployment(), self.provider)

    def plan(self) -> Plan:
        """The plan, not carried out."""
        if self.obj["kind"] == "ModelTraining":
            return training.plan(training.view_of(self.snapshot, self.now, self.options))
        return deployment.plan(self._deployment(), self.provider)

    def blocked(self, error: TerminalError, look_again: float) -> Plan:
        """The plan after the API server refused what was planned."""
        if self.obj["kind"] == "ModelTraining":
            return training.blocked(training.view_of(self.snapshot, self.now, self.options), error, look_again)
        return deployment.blocked(self._deployment(), error, look_again, self.provider)

    def act(self, writes: int | None = None) -> Plan:
        """Plan and carry out; with ``writes``, die after so many."""
        self.cluster(self)
        plan = self.plan()
        steps = [lambda obj=obj: self._create(obj) for wave in plan.create for obj in wave]
        steps += [lambda obj=obj: self._patch(obj) for obj in plan.patch]
        steps += [] if plan.status is None else [lambda: self.obj.update(status=deepcopy(plan.status))]
        steps += [lambda ref=ref: self._delete(ref) for ref in plan.delete]
        for step in steps[:writes]:
            step()
        self.events += plan.events
        self.cluster(self)
        return plan

    def waits(self) -> float | None:
        """Nothing is to be done now; returns the seconds until the next look."""
        plan = self.plan()
        assert plan.empty, plan
        return plan.requeue_after

    def settle(self) -> Self:
        """Act until nothing is left to do."""
        for _ in range(20):
            if self.act().empty:
                return self
        raise AssertionError(f"the plan does not become empty: {self.plan()}")

    def child(self, kind: str, name: str) -> Obj:
        """A child that exists."""
        return deepcopy(self.children[kind, name])

    def names(self, kind: str) -> list[str]:
        """The names of all children of a kind."""
        return sorted(name for its_kind, name in self.children if its_kind == kind)

    @property
    def run(self) -> Obj:
        """The current run, or the last, as the status tells of it."""
        return deepcopy(self.obj["status"]["run"])

    @property
    def state(self) -> str:
        """What the STATE column of kubectl shows."""
        return str(self.obj["status"]["state"])

    def told(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        (entry,) = [entry for entry in self.obj["status"]["conditions"] if entry["type"] == kind]
        return entry["status"], entry["reason"], entry.get("message", "")

    def _deployment(self) -> DeploymentView:
        return deployment.view_of(self.snapshot, self.now, self.deployment_options)

    def _create(self, obj: Obj) -> None:
        place = obj["kind"], obj["metadata"]["name"]
        assert place not in self.children, f"{place} exists"
        made = deepcopy(obj)
        made["metadata"] |= {"uid": uid_of(*place, next(self._lives)), "generation": 1, "resourceVersion": "1"}
        self.children[place] = made

    def _patch(self, patch: Obj) -> None:
        obj = self.children[patch["kind"], patch["metadata"]["name"]]
        assert obj["metadata"]["uid"] == patch["metadata"]["uid"]
        obj["metadata"]["generation"] += 1
        merge(obj, {key: value for key, value in patch.items() if key != "metadata"})
        merge(obj["metadata"], {"annotations": patch["metadata"].get("annotations", {})})

    def _delete(self, ref: Ref) -> None:
        assert self.children[ref.kind, ref.name]["metadata"]["uid"] == ref.uid
        self.without(ref.kind, ref.name)


def merge(target: Obj, patch: Obj) -> None:
    """A JSON merge patch, in place."""
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = deepcopy(value)


def _built(obj: Obj | Builder) -> Obj:
    return obj.obj() if isinstance(obj, Builder) else deepcopy(obj)
