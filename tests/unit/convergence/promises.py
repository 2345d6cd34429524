"""What is true of a deployment at any moment, told by what the operator writes."""

from tests.builders.objects import Obj
from tests.builders.routers import frame_in, split_in
from tests.unit.convergence.routers import Routers
from tests.unit.convergence.world import World

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.plan import Snapshot
from lamplighter.engine.queue import Key

ME = ("ModelDeployment", "digits")
REVISION = "lamplighter.dev/revision"


class PromisedWorld(World):
    """A world whose operator keeps its promises at each write."""

    routers: Routers

    def check_write(self, verb: str, obj: Obj) -> None:
        """Look at what is about to be written."""
        self.routers.note()
        if obj["kind"] == "ConfigMap" and verb in ("create", "patch"):
            self._check_split(split_in(obj))
            self._check_answers(split_in(obj))
            self._check_frame(obj)
        if obj["kind"] == "Deployment" and verb == "patch" and "-router-" not in obj["metadata"]["name"]:
            self._check_size(obj["metadata"]["name"].removeprefix("digits-"), obj["spec"]["replicas"])
        if obj["kind"] == "Deployment" and verb == "delete":
            if REVISION in obj["metadata"]["labels"]:
                self._check_removal(obj["metadata"]["labels"][REVISION])
            else:
                assert any(not name.startswith(obj["metadata"]["name"]) for name in self.routers.names), "no router"
        if obj["kind"] == "ModelDeployment" and verb == "status":
            before = self.status_of(self.server.objects[ME])
            after = self.status_of(obj)
            assert after.stable is not None or before.stable is None, (
                "there was a stable revision, and now there is none"
            )
            self._check_share(after)

    def _check_split(self, weights: dict[str, int]) -> None:
        """The weights are all of it, and none rises above what the operator knows to be ready."""
        assert sum(weights.values()) == 100, weights
        snapshot = self._known
        status = self.status_of(snapshot.obj)
        if status.stable is None:
            return
        before = {entry.revision: entry.weight for entry in (status.stable, status.candidate) if entry}
        for revision, weight in weights.items():
            if revision == status.stable.revision or weight <= before.get(revision, 0):
                continue
            if "recreate" in snapshot.obj["spec"].get("strategy", {}):
                assert self._known_pods(but=revision) == {}, "it comes before all others have gone"
            else:
                ready = self._known_pods("readyReplicas").get(revision, 0)
                assert weight * snapshot.obj["spec"]["replicas"] <= 100 * ready, (weights, ready)

    def _check_frame(self, config_map: Obj) -> None:
        """A share rises only beside clusters and listeners that routers have: should they refuse others, none does."""
        before = self.server.objects.get(("ConfigMap", config_map["metadata"]["name"]))
        spec, stable = self._known.obj["spec"], self.status_of(self._known.obj).stable
        if before is None or stable is None or frame_in(before) == frame_in(config_map):
            return
        if "recreate" in spec.get("strategy", {}) or not spec["replicas"]:
            return  # nothing serves that requests could shift from
        had = split_in(before)
        for revision, weight in split_in(config_map).items():
            assert revision == stable.revision or weight <= had.get(revision, 0), (revision, had, weight)

    def _check_share(self, status: DeploymentStatus) -> None:
        """A candidate has no more than its ready pods can take, but where the stable revision has none at all."""
        spec, entry, ready = self._known.obj["spec"], status.candidate, self._known_pods("readyReplicas")
        if entry is None or status.stable is None or status.stable.revision not in ready:
            return
        if "recreate" not in spec.get("strategy", {}):
            assert entry.weight * spec["replicas"] <= 100 * ready.get(entry.revision, 0), (entry, ready)
            assert not entry.mirror or not spec["replicas"] or entry.revision in ready, (entry, ready)

    def _check_answers(self, weights: dict[str, int]) -> None:
        """What answers everything goes on answering; without a model to roll out, so does what answers a part."""
        status, ready = self.status_of(self._known.obj), self._known_pods("readyReplicas")
        modelless = self.life.index.get(Key("ModelTraining", "team", "digits")) is None
        least, spec = 1 if modelless else 100, self._known.obj["spec"]
        before = {entry.revision for entry in (status.stable, status.candidate) if entry and entry.weight >= least}
        stays = modelless or (spec["replicas"] and "recreate" not in spec.get("strategy", {}))
        if status.stable is not None and stays and before & ready.keys():
            assert weights.keys() & ready.keys(), (weights, ready)

    def _check_size(self, revision: str, size: int) -> None:
        """No revision is made smaller than what the routers may send it, but to make room and as the spec asks."""
        spec, workload = self._known.obj["spec"], self.server.objects.get(("Deployment", f"digits-{revision}"))
        room = workload is None or "recreate" in spec.get("strategy", {})
        if not room and size < workload["spec"]["replicas"]:
            assert 100 * size >= spec["replicas"] * self.routers.most(revision), (revision, size)

    def _known_pods(self, field: str = "replicas", but: str = "") -> dict[str, int]:
        """How many pods the operator knows of each revision that has any."""
        found = {
            workload["metadata"]["labels"][REVISION]: workload.get("status", {}).get(field, 0)
            for workload in self._known.all_owned("Deployment")
            if REVISION in workload["metadata"]["labels"]
        }
        return {revision: count for revision, count in found.items() if count and revision != but}

    def _check_removal(self, revision: str) -> None:
        """No router pod sends requests to what is removed, or will when a late kubelet comes to it."""
        if not self.status_of(self.server.objects[ME]).stable:
            return
        sender = self.routers.may_send_to(revision)
        assert sender is None, f"{sender} sends requests to {revision}, or may yet"

    def status_of(self, obj: Obj) -> DeploymentStatus:
        """The status of a deployment."""
        return DeploymentStatus.model_validate(obj.get("status", {}))

    @property
    def _known(self) -> Snapshot:
        """What the operator knows."""
        snapshot = self.life.index.snapshot(Key("ModelDeployment", "team", "digits"))
        assert snapshot is not None
        return snapshot
