"""One pod of a gang fails: how long until all pods of the next attempt exist."""

import statistics
import time

import orjson
from tests.programs.bench import objects
from tests.programs.bench.figures import rounded
from tests.programs.bench.measure import BURST_S, Ground
from tests.programs.bench.server import PATHS, Obj, Server
from tests.programs.bench.sightings import Sightings

INDEX = "batch.kubernetes.io/job-completion-index"
LOST = {"reason": "StoreFailed", "exitCode": 1, "message": "the benchmark ended this rank"}
"""No echo of another pod's failure, for whose end the operator would wait."""


def second_jobs(job: Obj) -> str | None:
    """Sees the Jobs of second attempts, by training."""
    marks = job["metadata"]["labels"]
    return str(marks["lamplighter.dev/training"]) if marks.get("lamplighter.dev/attempt") == "2" else None


def second_pods(pod: Obj) -> str | None:
    """Sees the pods of second attempts, by training and rank."""
    marks = pod["metadata"]["labels"]
    if marks.get("lamplighter.dev/attempt") != "2":
        return None
    return f"{marks['lamplighter.dev/training']}-{pod['metadata']['annotations'][INDEX]}"


def restart_s(ground: Ground, jobs: Sightings, pods: Sightings, size: int, times: int) -> tuple[float, float]:
    """Median seconds from the write that a pod of a running gang has failed to the next Job, and to its last pod.

    Each gang is a new training's, because the pause before a first restart is 0.
    """
    until_job, until_pods = [], []
    for number in range(times):
        name = f"gang-{size}-{number}"
        ground.server.call("POST", ground.path, orjson.loads(_gang(name, size)))
        ground.done.wait([name], BURST_S)
        failed = _fail_one(ground.server, ground.namespace, name)
        until_job.append(jobs.wait([name], BURST_S)[name] - failed)
        seen = pods.wait([f"{name}-{rank}" for rank in range(size)], BURST_S)
        until_pods.append(max(seen.values()) - failed)
        ground.server.call("DELETE", f"{ground.path}/{name}?propagationPolicy=Background")
    return rounded(statistics.median(until_job)), rounded(statistics.median(until_pods))


def _gang(name: str, size: int) -> bytes:
    output = {"claimName": objects.CLAIM, "accessModes": ["ReadWriteMany"]}
    return objects.training(name, suspend=False, claim=None, hold=True, nodes=size, output=output)


def _fail_one(server: Server, namespace: str, training: str) -> float:
    """Mark the last pod as failed, as its kubelet does; the moment before."""
    path = PATHS["Pod"].format(namespace)
    pod = server.call("GET", f"{path}?labelSelector=lamplighter.dev/training%3D{training}")["items"][-1]
    ended = {"exitCode": 1, "reason": "Error", "message": orjson.dumps(LOST).decode()}
    pod["status"]["phase"] = "Failed"
    for entry in pod["status"]["containerStatuses"]:
        entry |= {"ready": False, "started": False, "state": {"terminated": ended}}
    pod["metadata"].pop("resourceVersion")
    begun = time.perf_counter()
    server.call("PUT", f"{path}/{pod['metadata']['name']}/status", pod)
    return begun
