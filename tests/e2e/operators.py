"""The operator's processes in the cluster, as somebody sees them who means them harm."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import tools
from tests.e2e import cluster, sharing
from tests.programs.demo.cluster import OPERATOR, OPERATOR_NAMESPACE, kubectl
from tests.waiting import wait_until

LABEL = "app.kubernetes.io/name=lamplighter-operator"
_STRUCK = tools.STATE / "e2e-operators-struck"
_LULL = 8.0
"""Seconds after a strike of another file, side by side: a new leader needs most of them to get to work at all."""


def pods() -> list[dict[str, Any]]:
    """The operator's pods."""
    return cluster.items("pods", LABEL, OPERATOR_NAMESPACE)


def up() -> None:
    """Wait until all of them that should live are ready."""
    kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", OPERATOR, "--timeout=300s")


def restarts() -> int:
    """How often their containers were started again."""
    statuses = [status for pod in pods() for status in pod["status"].get("containerStatuses", ())]
    return sum(status["restartCount"] for status in statuses)


def sigkill(victims: list[dict[str, Any]]) -> int:
    """Kill the processes of these pods with SIGKILL; gives how many there were to kill."""
    return sum(_kill(pod) for pod in victims)


@contextmanager
def under_attack(seed: int, between: tuple[float, float] = (8.0, 25.0)) -> Iterator[None]:
    """While inside, operator processes are killed at random moments, one or all at once; the seed is printed.

    Files that run side by side strike by turns, with a lull after the strike of another.
    """
    print(f"operators are killed by seed {seed}")
    chance, done = random.Random(seed), threading.Event()

    def attack() -> None:
        while not done.wait(chance.uniform(*between)):
            with sharing.sole(sharing.OPERATORS, wait=False) as ours:
                if ours and not _struck_by_another():
                    _strike(chance)
                    _STRUCK.write_text(str(os.getpid()))

    thread = threading.Thread(target=attack)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def away() -> Iterator[None]:
    """While inside, no operator lives."""
    scale = ("-n", OPERATOR_NAMESPACE, "scale", "deployment", "lamplighter-operator")
    with left_alone():
        kubectl(*scale, "--replicas=0")
        try:
            wait_until("no operator is left", lambda: not pods(), 120)
            yield
        finally:
            kubectl(*scale, "--replicas=2")


@contextmanager
def left_alone() -> Iterator[None]:
    """While inside, no other test kills an operator or sends them away."""
    with sharing.sole(sharing.OPERATORS):
        yield


def _struck_by_another() -> bool:
    """True when another process has just struck."""
    if not _STRUCK.exists() or _STRUCK.read_text() == str(os.getpid()):
        return False
    return time.time() - _STRUCK.stat().st_mtime < _LULL


def _strike(chance: random.Random) -> None:
    victims = pods()
    chance.shuffle(victims)
    victims = victims if chance.random() < 0.3 else victims[:1]
    sigkill(victims)
    # Their pods go, too: the kubelet would let each death wait longer for the next life.
    names = [pod["metadata"]["name"] for pod in victims]
    options = ("--grace-period=0", "--force", "--wait=false")
    kubectl("-n", OPERATOR_NAMESPACE, "delete", "pods", *names, *options, check=False)


def _kill(pod: dict[str, Any]) -> int:
    """SIGKILL from the node: nothing inside a container can kill its first process."""
    node = pod["spec"].get("nodeName", "")
    for status in pod["status"].get("containerStatuses", ()):
        container = str(status.get("containerID", "")).removeprefix("containerd://")
        for line in on_node(node, "ctr", "--namespace", "k8s.io", "tasks", "list").splitlines():
            if container and line.startswith(container) and "RUNNING" in line:
                on_node(node, "kill", "-9", line.split()[1])
                return 1
    return 0


def on_node(node: str, *command: str) -> str:
    """What a command on a node prints; nothing when it fails, as it does on a node that is stopped."""
    return subprocess.run(["docker", "exec", node, *command], check=False, capture_output=True, text=True).stdout
