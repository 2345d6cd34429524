"""Where the time of a training goes that is not the user's, on a real cluster: nothing is faked, images are loaded."""

import contextlib
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests import tools
from tests.programs.bench.figures import rounded
from tests.programs.bench.server import PATHS, Obj, Server
from tests.programs.bench.sightings import UnfinishedError
from tests.programs.demo.cluster import OPERATOR, OPERATOR_NAMESPACE, install_operator, kubectl

NAME = "overhead"
PATIENCE = 180.0
SCRIPT = """
import os, pathlib, time
print(f"bench-begins {time.time()}", flush=True)
time.sleep(5)
pathlib.Path(os.environ["LAMPLIGHTER_OUTPUT_DIR"], "model.pt").write_bytes(b"weights")
print(f"bench-ends {time.time()}", flush=True)
"""
TRAINING: Obj = {
    "apiVersion": "lamplighter.dev/v1alpha1",
    "kind": "ModelTraining",
    "metadata": {"name": NAME},
    "spec": {
        "image": "lamplighter/pytorch:dev",
        "source": {"configMap": NAME},
        "entrypoint": "train.py",
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "output": {"size": "1Gi"},
        "package": {"handler": "handler.py"},
    },
}


@dataclass
class Moments:
    """The first moment (time.time) at which each thing was seen; a listener of watches."""

    at: dict[str, float] = field(default_factory=dict)
    broken: str | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, obj: Obj, arrived: float) -> None:
        """An object as an event brought it."""
        moment = time.time() - (time.perf_counter() - arrived)
        with self._changed:
            for seen in _seen(obj):
                self.at.setdefault(seen, moment)
            self._changed.notify_all()

    def fail(self, why: str) -> None:
        """Nothing more will come."""
        with self._changed:
            self.broken = why
            self._changed.notify_all()

    def wait(self, what: str) -> None:
        """Until something was seen.

        Raises:
            UnfinishedError: it will not be.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: what in self.at or "failed" in self.at or self.broken, PATIENCE):
                raise UnfinishedError(f"on kind, {what} was not seen within {PATIENCE:.0f} s, only {sorted(self.at)}")
            if what not in self.at:
                raise UnfinishedError(f"on kind, the training failed: {self.broken or sorted(self.at)}")


def overhead_s() -> dict[str, Any]:
    """Seconds of each part, and their sum; or under ``left_out`` why nothing was measured."""
    if why := left_out():
        return {"left_out": why}
    say("a training of two stages on kind")
    namespace = f"bench-{uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    try:
        return _parts(*_train(namespace))
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


def left_out() -> str | None:
    try:
        kubectl("get", "--raw", "/readyz")
        image = tools.image("operator")
    except (FileNotFoundError, RuntimeError, subprocess.TimeoutExpired) as error:
        return str(error)
    path = "{.spec.template.spec.containers[0].image} {.status.updatedReplicas} {.status.readyReplicas}"
    found = kubectl("-n", OPERATOR_NAMESPACE, "get", OPERATOR, "-o", f"jsonpath={path}", check=False)
    installed, *replicas = found.split() or [""]
    if installed != image or len(set(replicas)) != 1:
        install_operator()
    return None


def _train(namespace: str) -> tuple[dict[str, float], float, float]:
    """What was seen when, and when the script began and ended."""
    server, seen = Server(tools.kubeconfig("kind")), Moments()
    data = {"train.py": SCRIPT, "handler.py": "def handle(requests, context):\n    return []\n"}
    source = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": data}
    server.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", source)
    with contextlib.ExitStack() as watches:
        for kind in ("Job", "Pod", "ModelTraining"):
            watches.enter_context(server.watch(kind, namespace, seen))
        server.call("POST", PATHS["ModelTraining"].format(namespace), TRAINING)
        seen.at["accepted"] = time.time()
        seen.wait("done")
    log = kubectl("-n", namespace, "logs", "-l", "lamplighter.dev/stage=train", "--tail=-1")
    said = dict(line.split()[-2:] for line in log.splitlines() if "bench-begins" in line or "bench-ends" in line)
    return seen.at, float(said["bench-begins"]), float(said["bench-ends"])


def _parts(at: dict[str, float], begins: float, ends: float) -> dict[str, Any]:
    way = [
        ("until_job", at["accepted"], at["train made"]),
        ("until_pod_scheduled", at["train made"], at["train scheduled"]),
        ("until_container_runs", at["train scheduled"], at["train runs"]),
        ("launcher_until_script", at["train runs"], begins),
        ("script_until_pod_succeeded", ends, at["train pod succeeded"]),
        ("until_job_complete", at["train pod succeeded"], at["train complete"]),
        ("until_package_job", at["train complete"], at["package made"]),
        ("until_package_runs", at["package made"], at["package runs"]),
        ("package_runs", at["package runs"], at["package pod succeeded"]),
        ("until_package_complete", at["package pod succeeded"], at["package complete"]),
        ("until_done", at["package complete"], at["done"]),
    ]
    parts = {name: rounded(end - begin) for name, begin, end in way}
    return {"sum": rounded(at["done"] - at["accepted"] - (ends - begins)), "script": rounded(ends - begins), **parts}


def _seen(obj: Obj) -> list[str]:
    stage = (obj["metadata"].get("labels") or {}).get("lamplighter.dev/stage")
    status = obj.get("status") or {}
    true = [entry["type"] for entry in status.get("conditions") or () if entry["status"] == "True"]
    if obj["kind"] == "ModelTraining":
        state = (status.get("run") or {}).get("state")
        return ["done"] if state == "Succeeded" else ["failed"] if state in ("Failed", "Lost") else []
    if obj["kind"] == "Job":
        succeeded = {"Complete", "SuccessCriteriaMet"} & set(true)  # the second comes first
        return [f"{stage} made", *([f"{stage} complete"] if succeeded else [])]
    phase = status.get("phase")
    found = [f"{stage} scheduled"] if "PodScheduled" in true else []
    found += [f"{stage} runs"] if phase in ("Running", "Succeeded") else []
    return [*found, *([f"{stage} pod succeeded"] if phase == "Succeeded" else [])]


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
