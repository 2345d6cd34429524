"""Whatever happens in whatever order: a deployment converges, and what serves is never taken away."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from tests.builders import a_deployment, a_trained, a_workload
from tests.builders.objects import Obj
from tests.unit.convergence.world import PROFILE, World

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.plan import Snapshot
from lamplighter.engine.queue import Key

ME = ("ModelDeployment", "digits")
TRAINING = ("ModelTraining", "digits")
REVISION = "lamplighter.dev/revision"
DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])


class DeploymentWorld(World):
    """One deployment, the training that it follows, what runs its revisions, and its users."""

    kind = "ModelDeployment"

    @initialize(replicas=st.integers(0, 2), history=st.integers(0, 2), sha256=DIGESTS)
    def somebody_creates_it(self, replicas: int, history: int, sha256: str) -> None:
        self.server.watch_writes = self._check_write
        self.server.put(a_trained().with_model(1, sha256).obj())
        self.server.put(a_deployment().replicas(replicas).spec(revisionHistoryLimit=history).obj())

    # what people and trainings do

    @rule(sha256=DIGESTS)
    def a_newer_model_is_there(self, sha256: str) -> None:
        status = self.server.objects.get(TRAINING, {}).get("status", {})
        self.server.put(a_trained().with_model(status.get("latest", {}).get("run", 0) + 1, sha256).obj())

    @rule()
    def the_training_is_deleted(self) -> None:
        self.server.remove(TRAINING)

    @rule(workers=st.integers(1, 3))
    def the_runtime_is_edited(self, workers: int) -> None:
        self._edit(runtime={"workers": workers})

    @rule(replicas=st.integers(0, 3))
    def it_is_scaled(self, replicas: int) -> None:
        self._edit(replicas=replicas)

    @rule(kind=st.sampled_from(["Deployment", "Service", "ControllerRevision"]), data=st.data())
    def somebody_deletes_something(self, kind: str, data: st.DataObject) -> None:
        if names := [obj["metadata"]["name"] for obj in self.objects(kind)]:
            self.server.remove((kind, data.draw(st.sampled_from(names))))

    @rule(how=st.sampled_from(["empty", "else", "more", "revision"]), data=st.data())
    def the_service_is_tampered_with(self, how: str, data: st.DataObject) -> None:
        revisions = sorted(obj["metadata"]["labels"][REVISION] for obj in self.objects("Deployment"))
        revision = data.draw(st.sampled_from(revisions)) if revisions and how == "revision" else "none"
        new = {"empty": {}, "else": {"app": "else"}, "more": {"more": "keys"}, "revision": {REVISION: revision}}[how]

        def tamper(service: Obj) -> None:
            keep = service["spec"]["selector"] if how in ("more", "revision") else {}
            service["spec"]["selector"] = {**keep, **new}

        self.server.change(("Service", "digits"), tamper)

    @rule(there=st.integers(1, 3), back=st.integers(1, 3), steps=st.integers(1, 2))
    def a_rollout_is_taken_back_in_the_middle(self, there: int, back: int, steps: int) -> None:
        self._edit(runtime={"workers": there})
        self._catch_up()
        self.controllers_finish()
        self.the_operator_works(steps, True)
        self._edit(runtime={"workers": back})
        self.the_operator_works(steps, True)

    @rule()
    def it_is_deleted_and_made_again(self) -> None:
        spec = self.server.objects[ME]["spec"]
        self.server.remove(ME)
        self.server.put(a_deployment().spec(**spec).obj())

    # what Kubernetes does

    @precondition(lambda self: self.objects("Deployment"))
    @rule(ready=st.integers(0, 3), data=st.data())
    def pods_come_and_go(self, ready: int, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([obj["metadata"]["name"] for obj in self.objects("Deployment")]))
        self._ready(self.server.objects["Deployment", name], ready)

    @rule()
    def a_rollout_takes_its_course(self) -> None:
        self._catch_up()
        self.controllers_finish()

    def controllers_finish(self) -> None:
        for workload in self.objects("Deployment"):
            self._ready(workload, workload["spec"]["replicas"])

    def _ready(self, workload: Obj, count: int) -> None:
        count = min(count, workload["spec"]["replicas"])
        self.server.put(a_workload(workload).ready(count).obj())

    # what must be true at any moment

    def _check_write(self, verb: str, obj: Obj) -> None:
        known = self.life.index.get(Key("ModelDeployment", "team", "digits"))
        assert known is not None
        if obj["kind"] == "Service" and verb in ("create", "patch"):
            self._check_switch(known, obj["spec"]["selector"][REVISION])
        if obj["kind"] == "Deployment" and verb == "delete":
            service = self._known.owned("Service", "digits")
            assert service is not None
            assert service["spec"]["selector"].get(REVISION) != obj["metadata"]["labels"][REVISION]

    def _check_switch(self, known: Obj, revision: str) -> None:
        """The Service turns to another revision only when all pods of it were ready, as far as the operator knew."""
        stable = DeploymentStatus.model_validate(known.get("status", {})).stable
        if stable is None or stable.revision == revision:
            return
        workload = self._known.owned("Deployment", f"digits-{revision}")
        assert workload is not None
        assert workload["status"]["readyReplicas"] >= known["spec"]["replicas"]

    @property
    def _known(self) -> Snapshot:
        """What the operator knows."""
        snapshot = self.life.index.snapshot(Key("ModelDeployment", "team", "digits"))
        assert snapshot is not None
        return snapshot

    def check_rest(self) -> None:
        obj = self.server.objects[ME]
        status = DeploymentStatus.model_validate(obj["status"])
        assert status.observed_generation == obj["metadata"]["generation"]
        if TRAINING not in self.server.objects:
            assert status.state == "TrainingNotFound"
        else:
            self._check_rolled_out(obj, status)
        if status.stable is not None:
            selector = self.server.objects["Service", "digits"]["spec"]["selector"]
            assert selector == {"lamplighter.dev/deployment": "digits", REVISION: status.stable.revision}

    def _check_rolled_out(self, obj: Obj, status: DeploymentStatus) -> None:
        assert status.state == "Ready"
        assert status.candidate is None
        assert status.stable is not None
        latest = self.server.objects[TRAINING]["status"]["latest"]
        assert (status.stable.model.sha256, status.stable.model.run) == (latest["artifact"]["sha256"], latest["run"])
        (workload,) = self.server.owned("Deployment", obj["metadata"]["uid"])
        assert workload["metadata"]["name"] == f"digits-{status.stable.revision}"
        assert workload["spec"]["replicas"] == obj["spec"]["replicas"] == status.ready_replicas
        kept = self.server.owned("ControllerRevision", obj["metadata"]["uid"])
        assert len(kept) <= obj["spec"]["revisionHistoryLimit"] + 1

    def _edit(self, **spec: object) -> None:
        self.server.change(ME, lambda obj: obj["spec"].update(spec))


TestDeployments = DeploymentWorld.TestCase
TestDeployments.settings = PROFILE
