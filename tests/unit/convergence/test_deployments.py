"""Whatever happens in whatever order: a deployment converges, and what serves is never taken away."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from tests.builders import a_deployment, a_trained, a_workload
from tests.builders.objects import Obj
from tests.builders.routers import router_says, split_in
from tests.unit.convergence.promises import ME, REVISION, PromisedWorld
from tests.unit.convergence.routers import Routers
from tests.unit.convergence.world import case_of

from lamplighter.api.deployment import DeploymentStatus

TRAINING = ("ModelTraining", "digits")
_READY = [{"type": "Ready", "status": "True"}]
STRATEGIES: list[Obj] = [
    {},
    {"canary": {"steps": [{"weight": 20, "hold": "10s"}, {"weight": 50}]}},
    {"canary": {"steps": [{"weight": 0, "mirror": 50, "hold": "5s"}, {"weight": 30, "pause": True}]}},
    {"canary": {"steps": [{"weight": 100}, {"weight": 30, "hold": "5s"}]}},
    {"blueGreen": {"keep": "30s"}},
    {"blueGreen": {"autoPromote": False, "keep": "0s"}},
    {"recreate": {}},
]
DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])


class DeploymentWorld(PromisedWorld):
    """One deployment, the training that it follows, what runs its revisions, and its users."""

    kind = "ModelDeployment"
    ROUNDS = 40

    @initialize(replicas=st.integers(0, 2), history=st.integers(0, 2), sha256=DIGESTS)
    def somebody_creates_it(self, replicas: int, history: int, sha256: str) -> None:
        self.routers = Routers(self.server)
        self.active: dict[str, int] = {}
        self.server.watch_writes = self.check_write
        self.server.answer = self._say
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
        revisions = sorted(obj["metadata"]["labels"][REVISION] for obj in self.workloads())
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

    @rule(
        verb=st.sampled_from(["promote", "abort", "pause", "resume", "skip", "undo"]),
        value=st.sampled_from(["1", "2", "3"]),
    )
    def somebody_asks_for_something(self, verb: str, value: str) -> None:
        def annotate(obj: Obj) -> None:
            obj["metadata"].setdefault("annotations", {})[f"lamplighter.dev/{verb}"] = value

        self.server.change(ME, annotate)

    @rule(verb=st.sampled_from(["promote", "abort", "undo"]), data=st.data())
    def somebody_names_a_revision(self, verb: str, data: st.DataObject) -> None:
        if names := sorted(obj["metadata"]["labels"][REVISION] for obj in self.objects("ControllerRevision")):
            self.somebody_asks_for_something(verb, data.draw(st.sampled_from(names)))

    @rule(cpu=st.sampled_from(["100m", "200m"]))
    def the_router_pods_are_edited(self, cpu: str) -> None:
        self._edit(router={"resources": {"requests": {"cpu": cpu}}})

    @rule(kinds=st.sampled_from([{"Deployment"}, {"Deployment", "Service", "ControllerRevision"}, set()]))
    def a_quota_is_used_up(self, kinds: set[str]) -> None:
        self.server.refused = kinds

    @rule(strategy=st.sampled_from(STRATEGIES))
    def the_strategy_is_edited(self, strategy: Obj) -> None:
        self._edit(strategy=strategy)

    # what Kubernetes does

    @precondition(lambda self: self.workloads())
    @rule(ready=st.integers(0, 3), data=st.data())
    def pods_come_and_go(self, ready: int, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([obj["metadata"]["name"] for obj in self.workloads()]))
        self._ready(self.server.objects["Deployment", name], ready)

    @rule()
    def a_rollout_takes_its_course(self) -> None:
        self._catch_up()
        self.controllers_finish()

    @precondition(lambda self: self.routers.names)
    @rule(data=st.data())
    def a_kubelet_brings_a_router_pod_the_newest_configuration(self, data: st.DataObject) -> None:
        self.routers.sync(data.draw(st.sampled_from(self.routers.names)))

    @precondition(lambda self: self.routers.names)
    @rule(data=st.data())
    def a_kubelet_brings_a_router_pod_the_configuration_after_its_own(self, data: st.DataObject) -> None:
        self.routers.advance(data.draw(st.sampled_from(self.routers.names)))

    @rule()
    def a_router_pod_is_replaced(self) -> None:
        self.routers.replace()

    @precondition(lambda self: self.routers.names)
    @rule(data=st.data())
    def a_router_pod_becomes_unready_and_runs_on(self, data: st.DataObject) -> None:
        self.routers.unready(data.draw(st.sampled_from(self.routers.names)))

    @precondition(lambda self: len(self.routers.names) > 1)
    @rule(workers=st.integers(1, 3), ready=st.booleans(), abort=st.booleans())
    def a_router_pod_is_cut_off_during_a_rollout(self, workers: int, ready: bool, abort: bool) -> None:
        (*others, last) = self.routers.names
        self._edit(runtime={"workers": workers})
        if not ready:
            self.routers.unready(last)
        for turn in range(4):
            self._catch_up()
            for workload in self.workloads():
                self._ready(workload, workload["spec"]["replicas"])
            for name in others:
                self.routers.sync(name)
            if abort and turn == 2:
                self.somebody_asks_for_something("abort", str(self.seconds))
            self.time_passes(15)
        self._catch_up()

    @rule(count=st.integers(0, 2), data=st.data())
    def requests_are_under_way(self, count: int, data: st.DataObject) -> None:
        if names := [obj["metadata"]["labels"][REVISION] for obj in self.workloads()]:
            self.active[data.draw(st.sampled_from(names))] = count

    def controllers_finish(self) -> None:
        self.active.clear()
        for workload in self.workloads():
            self._ready(workload, workload["spec"]["replicas"])
        for workload in self.objects("Deployment"):
            if "-router-" in workload["metadata"]["name"]:
                self.routers.start(workload)
                self.server.put(a_workload(workload).ready().obj())
        for pod in self.objects("Pod"):
            self.server.change(("Pod", pod["metadata"]["name"]), lambda pod: pod["status"].update(conditions=_READY))
            self.routers.sync(pod["metadata"]["name"])

    def workloads(self) -> list[Obj]:
        """The Deployments of revisions."""
        return [obj for obj in self.objects("Deployment") if "-router-" not in obj["metadata"]["name"]]

    def _ready(self, workload: Obj, count: int) -> None:
        count = min(count, workload["spec"]["replicas"])
        self.server.put(a_workload(workload).ready(count).obj())

    def _say(self, name: str) -> Obj | None:
        """What a router pod says about itself."""
        if name not in self.routers.names:
            return None
        ready = {
            workload["metadata"]["labels"][REVISION]: workload.get("status", {}).get("readyReplicas", 0)
            for workload in self.workloads()
        }
        return router_says(self.routers.version(name), ready, self.active)

    # what must be true when nothing happens any more

    def check_rest(self) -> None:
        obj = self.server.objects[ME]
        status = self.status_of(obj)
        assert status.observed_generation == obj["metadata"]["generation"]
        if TRAINING not in self.server.objects:
            assert status.state == "TrainingNotFound"
        elif status.state not in ("Paused", "Aborted"):
            self._check_rolled_out(obj, status)
        if status.stable is not None:
            selector = self.server.objects["Service", "digits"]["spec"]["selector"]
            assert selector == {"lamplighter.dev/deployment": "digits", "lamplighter.dev/component": "router"}
            weights = split_in(self.server.objects["ConfigMap", "digits-router"])
            assert all(each == weights for each in self.routers.weights())
        if status.stable is not None and status.candidate is None:
            assert weights == {status.stable.revision: 100}
            assert self._size(status.stable.revision) in (obj["spec"]["replicas"], None)

    def _check_rolled_out(self, obj: Obj, status: DeploymentStatus) -> None:
        assert status.state == "Ready"
        assert status.candidate is None
        assert status.stable is not None
        latest = self.server.objects[TRAINING]["status"]["latest"]
        if status.diverted is None:
            wanted = (latest["artifact"]["sha256"], latest["run"])
            assert (status.stable.model.sha256, status.stable.model.run) == wanted
        (workload,) = [obj for obj in self.workloads() if obj["metadata"]["labels"][REVISION] in self.routed()]
        assert workload["metadata"]["name"] == f"digits-{status.stable.revision}"
        assert workload["spec"]["replicas"] == obj["spec"]["replicas"] == status.ready_replicas
        kept = self.server.owned("ControllerRevision", obj["metadata"]["uid"])
        assert len(kept) <= obj["spec"]["revisionHistoryLimit"] + 3

    def _size(self, revision: str) -> int | None:
        """How many pods a revision is to have; None where somebody deleted all that could make it again."""
        found = self.server.objects.get(("Deployment", f"digits-{revision}"))
        return found["spec"]["replicas"] if found else None

    def routed(self) -> set[str]:
        """Revisions that get requests."""
        return set(split_in(self.server.objects["ConfigMap", "digits-router"]))

    def _edit(self, **spec: object) -> None:
        self.server.change(ME, lambda obj: obj["spec"].update(spec))


TestDeployments = case_of(DeploymentWorld)
