"""Whatever happens in whatever order: a training converges, and no run is ever repeated."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tests.builders import a_config_map, a_node, a_training
from tests.builders.objects import Obj
from tests.builders.trainings import RETRAIN
from tests.unit.convergence.jobs import ELSEWHERE, ENDS, FATES, STAGES, Jobs, active, conditions, place
from tests.unit.convergence.life import RETRY
from tests.unit.convergence.world import World, case_of

from lamplighter.api.training import ModelTraining, RunState, TrainingSpec, TrainingStatus
from lamplighter.engine.queue import Key
from lamplighter.training import freeze

ME = ("ModelTraining", "digits")
EDITS: tuple[Obj, ...] = (
    {"image": "a"},
    {"image": "b"},
    {"image": "a", "onChange": "Restart"},
    {"onChange": "Queue"},
    {"onChange": "Ignore"},
    {"suspend": True},
    {"suspend": False},
    {"nodes": 1},
    {"nodes": 2},
    {"activeDeadline": "1h"},
    {"failurePolicy": {"maxRestarts": 1, "maxInfrastructureRestarts": 2, "startTimeout": "10m"}},
)
NODES = ("node-0", "node-1", "node-2")
QUEUE = "kueue.x-k8s.io/queue-name"
BUDGETS = {"UserError": 1, "OutOfMemory": 1, "Hang": 1, "Infrastructure": 2, "Hardware": 2}
POLICY = {"maxRestarts": 1, "maxHangRestarts": 1, "maxInfrastructureRestarts": 2}


class TrainingWorld(World):
    """One training, its Jobs and its users."""

    kind = "ModelTraining"
    first_stage, rounds_per_stage, args = "train", 1, ()

    def __init__(self) -> None:
        super().__init__()
        self.finished: dict[tuple[str, int], Obj] = {}
        self.last_run: dict[str, int] = {}
        self.jobs = Jobs(self.server, lambda: self.seconds)

    @initialize(
        nodes=st.integers(1, 2),
        package=st.booleans(),
        source=st.booleans(),
        stages=st.integers(0, 3),
        how=st.sampled_from(["plain", "queued", "elastic"]),
    )
    def somebody_creates_it(self, nodes: int, package: bool, source: bool, stages: int, how: str) -> None:
        self.server.watch_writes = self._check_write
        for name in (*NODES, *ELSEWHERE):
            self.server.put(a_node(name).obj())
        spec = {"image": "a", "args": list(self.args), "ttlAfterFinished": "1h", "historyLimit": 2}
        training = a_training("digits").nodes(nodes).spec(**spec)
        training = training.packaged() if package else training
        training = training.queued() if how == "queued" else training
        training = training.elastic(1, 2) if how == "elastic" else training
        training = training.may_fail(**POLICY)
        self.server.put(a_config_map("code"))
        self.server.put((training.with_source("code") if source else training).obj())
        self.life.hear_all()
        self.stages_take_their_course("succeed", stages)

    # what people do

    @rule(change=st.sampled_from(EDITS))
    def the_spec_is_edited(self, change: Obj) -> None:
        self.server.change(ME, lambda obj: obj["spec"].update(change))

    @rule(image=st.sampled_from(["a", "b"]), writes=st.integers(1, 4), back=st.booleans())
    def an_edit_meets_a_death(self, image: str, writes: int, back: bool) -> None:
        self._catch_up()
        before = self.server.objects[ME]["spec"]["image"]
        self.the_spec_is_edited({"image": image})
        self.life.hear_all()
        self.the_operator_dies(writes, None)
        if back:
            self.the_spec_is_edited({"image": before})

    @rule(value=st.sampled_from(["1", "2", None]))
    def a_new_run_is_asked_for(self, value: str | None) -> None:
        notes = {} if value is None else {RETRAIN: value}
        self.server.change(ME, lambda obj: obj["metadata"].update(annotations=notes))

    @rule(there=st.booleans())
    def its_source_comes_or_goes(self, there: bool) -> None:
        self.server.put(a_config_map("code")) if there else self.server.remove(("ConfigMap", "code"))

    @rule(refuse=st.booleans())
    def its_jobs_are_refused_or_accepted(self, refuse: bool) -> None:
        self.server.refused = {"Job"} if refuse else set()

    @rule()
    def it_is_deleted_and_made_again(self) -> None:
        spec = self.server.objects[ME]["spec"]
        self.server.remove(ME)
        self.server.put(a_training("digits").spec(**spec).obj())

    @rule(kind=st.sampled_from(["Job", "Job", "Pod", "Service", "ConfigMap", "ControllerRevision"]), data=st.data())
    def somebody_deletes_something(self, kind: str, data: st.DataObject) -> None:
        if names := [obj["metadata"]["name"] for obj in self.objects(kind)]:
            name = data.draw(st.sampled_from(names))
            if kind == "Job" and not self._recorded(self.server.objects[kind, name]):
                self.server.created.pop((self._uid, name), None)
            self.server.remove((kind, name))

    # what Kubernetes does

    @precondition(lambda self: self.objects("Job"))
    @rule(fate=st.sampled_from(FATES), data=st.data())
    def the_job_controller_works(self, fate: str, data: st.DataObject) -> None:
        self.jobs.work(data.draw(st.sampled_from(self.objects("Job"))), fate)

    @rule(fate=st.sampled_from(["succeed", *ENDS]), stages=st.integers(1, 3))
    def stages_take_their_course(self, fate: str, stages: int) -> None:
        for _ in range(stages * self.rounds_per_stage):
            self._catch_up()
            self._finish(fate)

    @precondition(lambda self: self.objects("Job"))
    @rule(start=st.booleans(), data=st.data())
    def a_queue_decides(self, start: bool, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.objects("Job")))
        if QUEUE in job["metadata"]["labels"]:
            self.jobs.admit(job, start)

    @rule(name=st.sampled_from(NODES), how=st.sampled_from(["silent", "silent", "ready", "broken", "gone"]))
    def a_node_changes(self, name: str, how: str) -> None:
        node = a_node(name)
        if how == "gone":
            self.server.remove(("Node", name))
        else:
            self.server.put({"silent": node.silent(self.seconds), "broken": node.broken()}.get(how, node).obj())

    @rule(what=st.sampled_from(["suspend", "nodes", "silent", "broken"]), writes=st.integers(0, 3), back=st.booleans())
    def a_running_gang_is_disturbed(self, what: str, writes: int, back: bool) -> None:
        self._catch_up()
        self._finish("run")
        self._catch_up()
        spec = self.server.objects[ME]["spec"]
        if what in ("suspend", "nodes"):
            before = spec.get(what, False)
            self.the_spec_is_edited({what: not before if what == "suspend" else 3 - before})
        else:
            self.a_node_changes(NODES[0], what)
        self.life.hear_all()
        self.the_operator_dies(writes, None)
        self._catch_up()
        self.time_passes(15)
        self._finish("run")
        self._catch_up()
        if back and what in ("suspend", "nodes"):
            self.the_spec_is_edited({what: before})
        elif back:
            self.a_node_changes(NODES[0], "ready")

    def controllers_finish(self) -> None:
        for job in self.objects("Job"):
            if QUEUE in job["metadata"]["labels"]:
                self.jobs.admit(job, start=True)
            if not self.jobs.fits(job):
                self.server.put(a_node(f"spare-{len(self.objects('Node'))}").obj())
        self._finish("succeed")

    def _finish(self, outcome: str) -> None:
        for job in self.objects("Job"):
            for fate in ("create", "run", outcome, "conclude"):
                self.jobs.work(job, fate)

    # what must be true at any moment

    def _check_write(self, verb: str, obj: Obj) -> None:
        """What no write may do, wherever the watches are."""
        known = self.server.objects.get((obj["kind"], obj["metadata"]["name"]), {})
        if verb == "status":
            self._check_status(obj, known, obj["status"].get("run", {}))
        if verb == "patch" and "suspend" in obj["spec"]:
            assert QUEUE not in (known or obj)["metadata"].get("labels", {}), "the queue's to say"
        if verb == "patch" and "activeDeadlineSeconds" in obj["spec"]:
            assert not known or self._is_behind(known), "only what the status has left behind is stopped"
        if verb == "delete" and obj["kind"] == "Pod":
            node = self.life.index.snapshot(Key("ModelTraining", "team", "digits")).nodes.get(obj["spec"]["nodeName"])
            assert node is None or "Ready" not in conditions(node), "its Node can end it"

    def _check_status(self, obj: Obj, known: Obj, run: Obj) -> None:
        """No run is called lost while its Job is there; attempts have no gaps; nothing fails beyond its budget."""
        before = known.get("status", {}).get("run")
        if run.get("state") == "Lost":
            job = self.server.objects.get(("Job", run["job"]))
            assert job is None or job["metadata"]["ownerReferences"][0]["uid"] != obj["metadata"]["uid"]
        if known.get("metadata", {}).get("uid") != obj["metadata"]["uid"]:
            return  # the server refuses it
        if before and (before["number"], before["stage"]) == (run["number"], run["stage"]):
            assert run["attempt"] - before["attempt"] in (0, 1)
        elif run:
            assert run["attempt"] == 1
        over = {cause for cause, times in run.get("failures", {}).items() if times > BUDGETS.get(cause, 10**6)}
        assert not over or (run["state"] == "Failed" and len(over) == 1)
        assert all(run["failures"][cause] == BUDGETS[cause] + 1 for cause in over)
        spent = sum(times for cause, times in run.get("failures", {}).items() if cause != "Preempted")
        paid = spent - len(over) - (run.get("failure", {}).get("cause") in ("Image", "Unschedulable"))
        in_earlier_stages = run.get("restarts", 0) - paid
        assert in_earlier_stages == 0 or (in_earlier_stages > 0 and run["stage"] != self.first_stage)

    @invariant()
    def no_attempt_is_run_twice(self) -> None:
        assert [job for (uid, job), times in self.server.created.items() if times > 1 and uid == self._uid] == []

    @invariant()
    def a_finished_run_never_changes(self) -> None:
        status = self._status
        for record in status.history:
            known = self.finished.setdefault((self._uid, record.run), record.model_dump())
            assert known == record.model_dump()
        if status.run is not None and (self._uid, status.run.number) in self.finished:
            assert status.run.state.final

    @invariant()
    def a_run_follows_only_a_finished_one(self) -> None:
        run = self._status.run
        number = run.number if run else 0
        last = self.last_run.get(self._uid, 0)
        assert number >= last
        assert number == last or last == 0 or (self._uid, last) in self.finished
        self.last_run[self._uid] = number

    def _catch_up(self) -> None:
        """When all is done, at most one Job can have pods, and none when its run is over or held."""
        super()._catch_up()
        if self.server.refused or self.life.waiting or any(self.server.streams.values()):
            return
        running = [job for job in self._jobs() if active(job)]
        run = self._status.run
        if run is not None and all(due > self.clock().timestamp() + RETRY for due in self.life.timers.values()):
            assert len(running) <= (0 if run.state.final else 1), [job["metadata"]["name"] for job in running]

    @invariant()
    def at_most_one_unfinished_run_has_jobs(self) -> None:
        done = {number for uid, number in self.finished if uid == self._uid}
        runs = {int(job["metadata"]["labels"]["lamplighter.dev/run"]) for job in self._jobs()}
        assert len(runs - done) <= 1, runs - done

    def check_rest(self) -> None:
        obj = self.server.objects[ME]
        spec, status = ModelTraining.model_validate(obj).spec, self._status
        assert status.observed_generation == obj["metadata"]["generation"]
        if str(status.state).endswith("Suspended"):
            return
        frozen = self._frozen(status.run.number) if status.run else None
        request = obj["metadata"].get("annotations", {}).get(RETRAIN)
        changed = spec.on_change != "Ignore" and frozen is not None and frozen != freeze.essence(spec)
        if status.state == "SourceNotFound":
            assert ("ConfigMap", "code") not in self.server.objects
            superseded = status.run is not None and status.run.state is RunState.SUPERSEDED
            assert status.run is None or superseded or changed or request not in (None, status.last_handled.retrain)
            return
        assert status.run is not None
        assert status.run.state.final
        assert status.state == status.run.state.value
        assert self._jobs() == []
        assert not changed
        assert request in (None, status.last_handled.retrain)

    def _frozen(self, run: int) -> TrainingSpec | None:
        kept = self.server.objects.get(("ControllerRevision", f"digits-{run}"))
        return None if kept is None else freeze.essence(TrainingSpec.model_validate(kept["data"]["spec"]))

    @property
    def _uid(self) -> str:
        return str(self.server.objects[ME]["metadata"]["uid"])

    @property
    def _status(self) -> TrainingStatus:
        return TrainingStatus.model_validate(self.server.objects[ME].get("status", {}))

    def _jobs(self) -> list[Obj]:
        return self.server.owned("Job", self._uid)

    def _recorded(self, job: Obj) -> bool:
        """True when the status records this Job's attempt."""
        run = self._status.run
        return run is not None and (
            place(job) < (run.number, STAGES.index(run.stage), run.attempt)
            or (job["metadata"]["name"] == run.job and run.not_before is None)
        )

    def _is_behind(self, job: Obj) -> bool:
        """True when the status is past this Job."""
        run = self._status.run
        assert run is not None
        return run.state.final or place(job) < (run.number, STAGES.index(run.stage), run.attempt)


TestTrainings = case_of(TrainingWorld)
