"""A gang whose pods are killed again and again trains the very model that it would have trained in peace."""

import random
from pathlib import PurePosixPath

from tests.e2e import operators
from tests.e2e.gangs import OUTPUT, QUICK, running, workspace
from tests.e2e.world import PATIENCE, World
from tests.waiting import wait_until

DEATHS = 3
PACKAGE = {"modelFile": "model.py", "handler": "handler.py", "example": "example.json"}


def checkpoints(world: World, name: str) -> set[str]:
    """The attempts of the newest run that have saved a checkpoint: attempt-1, ..."""
    found = operators.on_node("lamplighter-control-plane", "find", workspace(world, name), "-path", "*/step-*/*")
    return {part for path in found.splitlines() for part in PurePosixPath(path).parts if part.startswith("attempt-")}


def test_the_model_is_the_same_bit_for_bit(world: World) -> None:
    world.train(
        "net",
        nodes=2,
        args=["--epochs", "6"],
        checkpoint={"every": "500ms"},
        failurePolicy={"maxInfrastructureRestarts": 2 * DEATHS, "backoff": QUICK},
        package=PACKAGE,
        output=OUTPUT,
    )
    peaceful = world.succeeded("net")
    world.annotate("mt", "net", retrain="and be killed")
    dice = random.Random(40)
    for attempt in range(1, DEATHS + 1):
        pods = running(world, "net", attempt)
        wait_until("it has saved", lambda done=f"attempt-{attempt}": done in checkpoints(world, "net"), PATIENCE)
        operators.sigkill([dice.choice(pods)])
    killed = world.succeeded("net", run=2)
    assert killed["run"]["restarts"] == DEATHS
    assert killed["latest"]["artifact"]["sha256"] == peaceful["latest"]["artifact"]["sha256"]
