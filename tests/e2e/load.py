"""A steady load from a pod in the cluster, while something happens to what it asks."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests import tools
from tests.e2e.world import PATIENCE, World, plain_pod
from tests.waiting import wait_until

_SCRIPT = tools.ROOT / "tests/programs/load/generator.py"
_ENDLESS = 3600
_LEAST = 150
"""Requests: what is over within a second was looked at for a while, too."""


class Result(dict[str, Any]):
    """What came back: asked, lost, by (answers by revision), p50_ms, p99_ms."""

    def __init__(self, rate: float) -> None:
        """``rate``: how many requests are sent in a second."""
        super().__init__()
        self._rate, self._begun = rate, time.monotonic()

    def asked_by_now(self) -> float:
        """How many requests should have been sent until now."""
        return (time.monotonic() - self._begun) * self._rate

    def share(self, revision: str) -> float:
        """What part of the answers a revision gave."""
        return float(self["by"].get(revision, 0) / max(1, sum(self["by"].values())))


@contextmanager
def load(world: World, name: str, *, rate: float = 40, connections: int = 8, host: str = "") -> Iterator[Result]:
    """Ask a deployment again and again while inside, and so long that it says something; the result is complete then.

    ``host``: whom to ask instead of the deployment's Service.
    """
    url = f"http://{host or f'{name}.{world.namespace}.svc'}/predictions/{name}"
    pod = f"load-{uuid4().hex[:8]}"
    _start(world, pod, [url, str(rate), str(connections), str(_ENDLESS)])
    result = Result(rate)
    try:
        yield result
        wait_until("enough requests", lambda: result.asked_by_now() >= _LEAST, PATIENCE)
    finally:
        world.kubectl("exec", pod, "--", "sh", "-c", "kill 1")
        wait_until(f"{pod} is done", lambda: world.get("pod", pod)["status"]["phase"] == "Succeeded", PATIENCE)
        result.update(json.loads(world.kubectl("logs", pod).splitlines()[-1]))
        world.kubectl("delete", "pod", pod, "--wait=false")


def _start(world: World, name: str, arguments: list[str]) -> None:
    script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "load"}}
    world.apply(script | {"data": {"generator.py": _SCRIPT.read_text(encoding="utf-8")}})
    mounted = {"volumeMounts": [{"name": "load", "mountPath": "/load"}]}
    pod = plain_pod(name, ["python", "/load/generator.py", *arguments], **mounted)
    pod["spec"] |= {"restartPolicy": "Never", "volumes": [{"name": "load", "configMap": {"name": "load"}}]}
    world.apply(pod)
    wait_until(f"{name} has begun", lambda: "begun" in world.kubectl("logs", name, check=False), PATIENCE)
