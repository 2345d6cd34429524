"""One deployment that is rolled out again and again: how a test asks for it, waits for it, and sees who serves."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import tools
from tests.e2e.gangs import OUTPUT
from tests.e2e.load import Result
from tests.e2e.world import PATIENCE, World
from tests.waiting import wait_until

NAME = "net"
_PACKAGE = {"modelFile": "model.py", "handler": "handler.py", "example": "example.json"}
_TOLD = r'{.type}{"\t"}{.object.metadata.name}{"\t"}{.object.metadata.labels.lamplighter\.dev/revision}'
_OVER = ("Succeeded", "Failed")


def serve(world: World) -> str:
    """Train a model and serve it by two pods; gives the name of the deployment."""
    world.train(NAME, args=["--epochs", "1"], package=_PACKAGE, output=OUTPUT)
    world.succeeded(NAME)
    world.deploy(
        NAME,
        model={"trainingRef": {"name": NAME}},
        replicas=2,
        resources={"requests": {"cpu": "50m", "memory": "256Mi"}},
        router={"resources": {"requests": {"cpu": "20m", "memory": "96Mi"}}},
    )
    world.ready("modeldeployment", NAME, "Ready", status="True")
    return NAME


def status(world: World) -> dict[str, Any]:
    """The status of the deployment."""
    found: dict[str, Any] = world.get("modeldeployment", NAME)["status"]
    return found


def revise(world: World, queue: int, **strategy: Any) -> str:
    """Ask for a new revision that takes over by a strategy; gives the name of the old one."""
    old: str = status(world)["stable"]["revision"]
    world.patch("modeldeployment", NAME, strategy=None)
    world.patch("modeldeployment", NAME, runtime={"jobQueueSize": queue}, strategy=strategy)
    return old


def state(world: World, reason: str) -> dict[str, Any]:
    """Wait for a state of the newest spec; gives the status."""
    world.ready("modeldeployment", NAME, reason)
    return status(world)


def settled(world: World) -> str:
    """Wait until one revision serves and nothing else is there; gives its name."""

    def there() -> str:
        world.ready("modeldeployment", NAME, "Ready", status="True")
        if status(world).get("retiring") or len(revisions(world)) != 1:
            return ""
        return str(status(world)["stable"]["revision"])

    name: str = wait_until("one revision is left", there, PATIENCE)
    return name


def handled(world: World, **wishes: str) -> None:
    """Wait until the operator has acted on these annotations."""

    def there() -> bool:
        echoed = status(world)["lastHandled"]
        return all(echoed.get(verb) == value for verb, value in wishes.items())

    wait_until(f"{wishes} are handled", there, PATIENCE)


def revisions(world: World) -> list[str]:
    """The revisions that have pods."""
    found = world.all("deployments", f"lamplighter.dev/deployment={NAME},lamplighter.dev/revision")
    return [one["metadata"]["labels"]["lamplighter.dev/revision"] for one in found]


@contextmanager
def side_by_side(world: World) -> Iterator[list[set[str]]]:
    """Which revisions have pods that are not over, after each change of a pod while inside; complete afterwards."""
    path = f"jsonpath={_TOLD}" + r'{"\t"}{.object.status.phase}{"\n"}'
    command = [tools.kubectl(), "--kubeconfig", str(tools.kubeconfig("kind")), "-n", world.namespace, "get", "pods"]
    chosen = ["-l", f"lamplighter.dev/deployment={NAME},lamplighter.dev/revision"]
    sets: list[set[str]] = []
    with (
        tempfile.TemporaryFile("w+") as told,
        subprocess.Popen([*command, *chosen, "--watch", "--output-watch-events", "-o", path], stdout=told) as watch,
    ):
        try:
            yield sets
        finally:
            watch.terminate()
            watch.wait()
        told.seek(0)
        present: dict[str, str] = {}
        for kind, pod, revision, phase in (line.split() for line in told):
            present[pod] = revision
            if kind == "DELETED" or phase in _OVER:
                del present[pod]
            sets.append(set(present.values()))


def nothing_lost(result: Result) -> None:
    """Every request was answered with 200."""
    assert (result["lost"], result["asked"] > 100) == ({}, True), result
