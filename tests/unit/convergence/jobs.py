"""What Kubernetes does with Jobs: their controller, the scheduler, a queue and the kubelets, one step at a time."""

from collections.abc import Callable
from copy import deepcopy

from tests.builders import a_pod
from tests.builders.objects import Builder, Obj, at
from tests.builders.pods import Pod
from tests.unit.convergence.server import Server

INDEX = "batch.kubernetes.io/job-completion-index"
ENDS: dict[str, Callable[[Pod], Pod]] = {
    "error": lambda pod: pod.told(1, reason="UserError", message="boom"),
    "memory": lambda pod: pod.oom_killed(),
    "hang": lambda pod: pod.told(75, reason="Hang", message="silent"),
    "gpu": lambda pod: pod.told(1, reason="GPUFailed", message="Xid 79"),
    "killed": lambda pod: pod.failed(137),
    "peer": lambda pod: pod.told(1, reason="PeerLost", message="closed by peer"),
    "preempted": lambda pod: pod.told(143, reason="Terminated", message="stop").disrupted("PreemptionByScheduler"),
    "evicted": lambda pod: pod.evicted(),
}
"""How a pod can end."""
FATES = ("create", "run", "succeed", "conclude", *ENDS)
STAGES = ("data", "train", "check", "package", "gate")
"""In their order; data, check and gate are made up."""
_SUCCESS = {"package": {"reason": "Packaged", "sha256": "a" * 64, "sizeBytes": 7}, "gate": {"good": True}}
"""What the programs of stages leave in their termination messages when they succeed."""
ELSEWHERE = tuple(f"elsewhere-{number}" for number in range(9))
"""Nodes without room for the gang, so that never most of all Nodes are silent."""


class Jobs:
    """Moves the Jobs of a server on. Pods on Nodes that do not answer stay as they are."""

    def __init__(self, server: Server, seconds: Callable[[], float]) -> None:
        self._server = server
        self._seconds = seconds
        self._made: dict[str, set[int]] = {}

    def work(self, job: Obj, fate: str) -> None:
        """One step of a Job; nothing when the fate does not fit."""
        job = self._server.objects["Job", job["metadata"]["name"]]
        kinds = conditions(job)
        if "Complete" in kinds or "Failed" in kinds:
            return
        if kinds:
            self._conclude(job, kinds[-1]) if fate == "conclude" else None
        elif job["spec"]["suspend"]:
            self._stop(job)
        elif job["spec"].get("activeDeadlineSeconds"):
            self._tell(job, "FailureTarget", "DeadlineExceeded")
        elif fate == "create":
            self._create(job)
        else:
            self._happen(job, fate)

    def admit(self, job: Obj, start: bool) -> None:
        """A queue starts or stops a Job."""
        if not conditions(job):
            self._change(job, lambda obj: obj["spec"].update(suspend=not start))

    def fits(self, job: Obj) -> list[str]:
        """The Nodes that answer and that the Job's pods may run on."""
        required = job["spec"]["template"]["spec"].get("affinity", {}).get("nodeAffinity", {})
        terms = required.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
        avoided = {name for term in terms for field in term.get("matchFields", ()) for name in field["values"]}
        places = [name for kind, name in sorted(self._server.objects) if kind == "Node" and name not in ELSEWHERE]
        return [name for name in places if self._answers(name, avoided)]

    def _create(self, job: Obj) -> None:
        if not job.get("status", {}).get("startTime"):
            self._made[job["metadata"]["uid"]] = set()
            job = self._change(job, lambda obj: obj.setdefault("status", {}).update(startTime=self._now, active=1))
        made = self._made.setdefault(job["metadata"]["uid"], set())
        there = {index(pod) for pod in self._pods(job) if not over(pod) or not elastic(job)}
        for missing in sorted(set(range(job["spec"]["parallelism"])) - there):
            if missing in made and not elastic(job):
                self._tell(job, "FailureTarget", "BackoffLimitExceeded")
                return
            life = sum(index(pod) == missing for pod in self._pods(job)) + 1
            made.add(missing)
            pod = a_pod(job, missing).created(self._seconds()).unschedulable()
            self._server.put((pod.replacing(life) if life > 1 else pod).obj())
        for pod in self._pods(job):
            if index(pod) >= job["spec"]["parallelism"]:
                self._end(pod)
            elif "nodeName" not in pod["spec"]:
                self._schedule(job, pod)

    def _schedule(self, job: Obj, pod: Obj) -> None:
        if nodes := self.fits(job):
            status = {"phase": "Pending", "startTime": self._now}
            self._put(pod, lambda one: one.on(nodes[index(pod) % len(nodes)]))
            self._change(pod, lambda obj: obj.update(status=status))

    def _happen(self, job: Obj, fate: str) -> None:
        alive = [pod for pod in self._pods(job) if not over(pod) and self._answers(pod["spec"].get("nodeName"))]
        if fate == "run":
            for pod in alive:
                self._put(pod, lambda one: one.running())
        elif fate == "succeed":
            needed = {0} if elastic(job) else set(range(job["spec"]["parallelism"]))
            if needed <= {index(pod) for pod in alive}:
                said = _SUCCESS.get(job["metadata"]["labels"]["lamplighter.dev/stage"], {})
                for pod in alive:
                    self._put(pod, lambda one: one.succeeded(**said))
                self._tell(job, "SuccessCriteriaMet", "ByController")
        elif fate in ENDS and alive:
            self._put(alive[-1], ENDS[fate])
            if not elastic(job):
                self._tell(job, "FailureTarget", "BackoffLimitExceeded")

    def _conclude(self, job: Obj, kind: str) -> None:
        for pod in self._pods(job):
            if not over(pod):
                self._end(pod)
        if all(map(over, self._pods(job))):
            self._tell(job, {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}[kind], "ByController")

    def _stop(self, job: Obj) -> None:
        for pod in self._pods(job):
            self._end(pod)
        self._made.pop(job["metadata"]["uid"], None)
        if job.get("status", {}).get("startTime"):
            self._change(job, lambda obj: obj["status"].pop("startTime"))

    def _end(self, pod: Obj) -> None:
        """Delete a pod; where its Node does not answer, it only waits to be deleted."""
        node = pod["spec"].get("nodeName")
        if node is None or self._answers(node):
            self._server.remove(("Pod", pod["metadata"]["name"]))
        elif "deletionTimestamp" not in pod["metadata"]:
            self._change(pod, lambda obj: obj["metadata"].update(deletionTimestamp=at(self._seconds() + 30)))

    def _answers(self, node: str | None, but: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
        found = self._server.objects.get(("Node", node or ""))
        return found is not None and node not in but and "Ready" in conditions(found)

    def _put(self, pod: Obj, how: Callable[[Pod], Pod]) -> None:
        builder = Pod("v1", "Pod", pod["metadata"]["name"])
        builder._obj = deepcopy(pod)
        stage = pod["metadata"]["labels"]["lamplighter.dev/stage"]
        builder.container = {"train": "trainer"}.get(stage, stage)
        self._server.put(how(builder).obj())

    def _tell(self, job: Obj, kind: str, reason: str) -> None:
        builder = Builder("batch/v1", "Job", job["metadata"]["name"])
        builder._obj = deepcopy(self._server.objects["Job", job["metadata"]["name"]])
        self._server.put(builder.condition(kind, since=self._seconds(), reason=reason).obj())

    def _change(self, obj: Obj, update: Callable[[Obj], object]) -> Obj:
        place = obj["kind"], obj["metadata"]["name"]
        self._server.change(place, lambda one: update(one) and None)
        return self._server.objects[place]

    def _pods(self, job: Obj) -> list[Obj]:
        return self._server.owned("Pod", job["metadata"]["uid"])

    @property
    def _now(self) -> str:
        return at(self._seconds())


def conditions(obj: Obj) -> list[str]:
    """The types of the conditions that are True."""
    return [entry["type"] for entry in obj.get("status", {}).get("conditions", ()) if entry["status"] == "True"]


def active(job: Obj) -> bool:
    """Whether the Job may make pods."""
    return not conditions(job) and not job["spec"]["suspend"] and "activeDeadlineSeconds" not in job["spec"]


def elastic(job: Obj) -> bool:
    """Whether the Job replaces pods."""
    return "backoffLimitPerIndex" in job["spec"]


def over(pod: Obj) -> bool:
    """Whether the pod has ended."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def index(pod: Obj) -> int:
    """The pod's index in its Job."""
    return int(pod["metadata"]["labels"][INDEX])


def place(job: Obj) -> tuple[int, int, int]:
    """Run, stage and attempt of a Job, in their order."""
    labels = {key.removeprefix("lamplighter.dev/"): value for key, value in job["metadata"]["labels"].items()}
    return int(labels["run"]), STAGES.index(labels["stage"]), int(labels["attempt"])
