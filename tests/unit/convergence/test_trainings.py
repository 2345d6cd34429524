"""Whatever happens in whatever order: a training converges, and no run is ever repeated."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tests.builders import a_config_map, a_job, a_pod, a_training
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.trainings import RETRAIN
from tests.unit.convergence.world import PROFILE, World

from lamplighter.api.training import ModelTraining, RunState, TrainingSpec, TrainingStatus
from lamplighter.training import freeze

ME = ("ModelTraining", "digits")
FINAL = {state.value for state in RunState if state.final}
EDITS: tuple[Obj, ...] = (
    {"image": "a"},
    {"image": "b"},
    {"image": "a", "onChange": "Restart"},
    {"onChange": "Queue"},
    {"onChange": "Ignore"},
    {"suspend": True},
    {"suspend": False},
)


class TrainingWorld(World):
    """One training, its Jobs and its users."""

    kind = "ModelTraining"

    def __init__(self) -> None:
        super().__init__()
        self.finished: dict[tuple[str, int], Obj] = {}
        self.last_run: dict[str, int] = {}

    @initialize(nodes=st.integers(1, 2), package=st.booleans(), source=st.booleans(), stages=st.integers(0, 3))
    def somebody_creates_it(self, nodes: int, package: bool, source: bool, stages: int) -> None:
        self.server.watch_writes = self._check_write
        training = a_training("digits").nodes(nodes).spec(image="a", ttlAfterFinished="1h", historyLimit=2)
        training = training.packaged() if package else training
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
        self.server.refuse_jobs = refuse

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
    @rule(fate=st.sampled_from(["create", "run", "succeed", "fail", "conclude"]), data=st.data())
    def the_job_controller_works(self, fate: str, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([obj["metadata"]["name"] for obj in self.objects("Job")]))
        self._advance(self.server.objects["Job", job], fate)

    @rule(fate=st.sampled_from(["succeed", "fail"]), stages=st.integers(1, 3))
    def stages_take_their_course(self, fate: str, stages: int) -> None:
        for _ in range(stages):
            self._catch_up()
            self._finish(fate)

    def controllers_finish(self) -> None:
        self._finish("succeed")

    def _finish(self, outcome: str) -> None:
        for job in self.objects("Job"):
            for fate in ("create", "run", outcome, "conclude"):
                self._advance(self.server.objects["Job", job["metadata"]["name"]], fate)

    def _advance(self, job: Obj, fate: str) -> None:
        pods = self.server.owned("Pod", job["metadata"]["uid"])
        if job["spec"]["suspend"] and not _conditions(job):
            for pod in pods:
                self.server.remove(("Pod", pod["metadata"]["name"]))
        elif fate == "create" and not _conditions(job):
            for index in range(job["spec"]["parallelism"]):
                if a_pod(job, index).obj()["metadata"]["name"] not in {pod["metadata"]["name"] for pod in pods}:
                    self.server.put(a_pod(job, index).pending().obj())
        elif fate == "conclude":
            self._add(job, {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"})
        elif pods and not _conditions(job):
            self._pods(job, fate)

    def _pods(self, job: Obj, fate: str) -> None:
        told = {"reason": "Packaged", "sha256": "a" * 64, "sizeBytes": 7}
        packaging = job["metadata"]["labels"]["lamplighter.dev/stage"] == "package"
        builders: dict[str, Any] = {
            "run": lambda pod: pod.running(),
            "succeed": lambda pod: pod.succeeded(**(told if packaging else {})),
            "fail": lambda pod: pod.failed(1, json.dumps({"reason": "UserError", "message": "boom"})),
        }
        for index in range(job["spec"]["parallelism"]):
            pod: Pod = builders[fate](a_pod(job, index))
            self.server.put(pod.obj())
        self._add(job, {"": {"succeed": "SuccessCriteriaMet", "fail": "FailureTarget"}.get(fate, "")})

    def _add(self, job: Obj, follows: dict[str, str]) -> None:
        """Add the condition that follows the last one."""
        kind = follows.get((_conditions(job) or [""])[-1])
        if kind:
            builder = a_job(self.server.objects[ME])
            builder._obj = json.loads(json.dumps(job))
            self.server.put(builder.condition(kind, since=self.seconds, reason="ByController").obj())

    # what must be true at any moment

    def _check_write(self, verb: str, obj: Obj) -> None:
        """No run is called lost while its Job is there, wherever the watches are."""
        run = obj["status"].get("run", {}) if verb == "status" else {}
        if run.get("state") == "Lost":
            job = self.server.objects.get(("Job", run["job"]))
            assert job is None or job["metadata"]["ownerReferences"][0]["uid"] != obj["metadata"]["uid"]

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
        """True when the status has told of this Job's attempt."""
        run, labels = self._status.run, job["metadata"]["labels"]
        number = int(labels["lamplighter.dev/run"])
        if run is None or number > run.number:
            return False
        return number < run.number or labels["lamplighter.dev/stage"] == "train" or run.stage == "package"


def _conditions(job: Obj) -> list[str]:
    return [entry["type"] for entry in job.get("status", {}).get("conditions", ())]


TestTrainings = TrainingWorld.TestCase
TestTrainings.settings = PROFILE
