"""Gangs of pods that share a volume, and the scripts that they run."""

from typing import Any

from tests.e2e.world import PATIENCE, Obj, World
from tests.programs.demo.cluster import kubectl
from tests.waiting import wait_until

OUTPUT = {"storageClassName": "shared", "accessModes": ["ReadWriteMany"], "size": "1Gi"}
QUICK = {"initial": "1s", "max": "5s"}
GANG = """\
import os, sys, time
from lamplighter_runtime import run
attempt, rank = run.attempt(), run.rank()
"""


def train(world: World, name: str, script: str, **spec: Any) -> None:
    """A gang of two over a shared volume."""
    world.source(name, train=script)
    policy = {"backoff": QUICK, **spec.pop("failurePolicy", {})}
    world.train(name, source=name, failurePolicy=policy, **{"nodes": 2, "output": OUTPUT, **spec})


def running(world: World, name: str, attempt: int = 1) -> list[Obj]:
    """Wait until an attempt runs with all its pods, which an elastic one need not have; gives them by their index."""

    def there() -> list[Obj]:
        training = world.get("modeltraining", name)
        run = training.get("status", {}).get("run", {})
        if (run.get("attempt"), run.get("state")) != (attempt, "Running"):
            return []
        found = world.all("pods", f"lamplighter.dev/training={name},lamplighter.dev/attempt={attempt}")
        live = [pod for pod in found if pod["status"]["phase"] == "Running"]
        complete = len(live) >= training["spec"].get("nodes", 1)
        return sorted(live, key=lambda pod: pod["metadata"]["name"]) if complete else []

    pods: list[Obj] = wait_until(f"attempt {attempt} of {name} runs", there, PATIENCE)
    return pods


def workspace(world: World, name: str) -> str:
    """The folder of a training's newest run on the volume that it shares: a path on every node."""
    volume = world.get("pvc", f"{name}-models")["spec"]["volumeName"]
    path = kubectl("get", "pv", volume, "-o", "jsonpath={.spec.hostPath.path}{.spec.local.path}")
    return f"{path}/{world.get('modeltraining', name)['status']['run']['path']}"
