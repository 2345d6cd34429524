"""Stories of trainings that must end in the same way whatever happens to the operator on the way."""

from datetime import timedelta
from typing import Any

from tests.integration.engine.world import SHA, Scenario, World
from tests.samples.objects import training

from lamplighter.core.objects import Obj

PACKAGED: Obj = {"reason": "Packaged", "sha256": SHA, "sizeBytes": 7, "file": "model.mar"}
VOLUME = {"claimName": "volume"}
"""A claim that every scenario's namespace has, so that not every training waits for a volume of its own."""


async def one_node(world: World) -> None:
    """A training without a package, in a volume of its own."""
    await world.create(training(world.name))
    await world.run_job("1-1")
    await world.until_state("Running")
    await world.end_job("1-1", reason="Succeeded")
    await world.until_state("Succeeded")


async def two_nodes_source_package(world: World) -> None:
    """All that a training can have."""
    package = {"handler": "image_classifier"}
    await world.create(
        training(world.name, nodes=2, source={"configMap": "source"}, output=VOLUME, package=package),
    )
    await world.run_job("1-1")
    await world.until_state("Running")
    await world.end_job("1-1", reason="Succeeded")
    await world.run_job("1-package-1")
    await world.until_state("PackageRunning")
    await world.end_job("1-package-1", **PACKAGED)
    await world.until_state("Succeeded")


async def failing(world: World) -> None:
    """The script raises."""
    async with world.undisturbed():
        await begin(world)
    await world.end_job("1-1", exit_code=1, reason="UserError", message="ValueError: boom")
    await world.until_state("Failed")


async def suspended_and_resumed(world: World) -> None:
    """Begun suspended, resumed, suspended while it runs, and resumed again."""
    await world.create(training(world.name, output=VOLUME, suspend=True))
    await world.until_state("Suspended")
    await world.change("ModelTraining", suspend=False)
    await world.run_job("1-1")
    await world.until_state("Running")
    await world.change("ModelTraining", suspend=True)
    await world.stop_job("1-1")
    await world.until_state("Suspended")
    await world.change("ModelTraining", suspend=False)
    await world.until_state("Pending")
    async with world.undisturbed():
        await world.succeed("1-1")
        await world.until_state("Succeeded")


async def changed_and_queued(world: World) -> None:
    """A spec that changes during a run makes the next run; the first is forgotten beyond the limit."""
    async with world.undisturbed():
        await begin(world, historyLimit=1)
        await world.change("ModelTraining", args=["2"])
    await world.end_job("1-1", reason="Succeeded")
    await world.succeed("2-1")
    await world.until_state("Succeeded", number=2)


async def changed_and_restarted(world: World) -> None:
    """A spec that changes during a run stops it where the user wants that."""
    async with world.undisturbed():
        await begin(world, onChange="Restart", nodes=2)
    await world.change("ModelTraining", args=["2"])
    await world.run_job("2-1")
    await world.until_state("Running", number=2)
    await world.until_gone("Job", f"{world.name}-1-1")
    async with world.undisturbed():
        await world.end_job("2-1", reason="Succeeded")
        await world.until_state("Succeeded", number=2)


async def retrained(world: World) -> None:
    """A new value of the annotation asks for another run of the same spec."""
    async with world.undisturbed():
        await begin(world)
        await world.end_job("1-1", reason="Succeeded")
        await world.until_state("Succeeded")
    await world.annotate("ModelTraining", "lamplighter.dev/retrain", "please")
    await world.run_job("2-1")
    await world.until_state("Running", number=2)
    async with world.undisturbed():
        await world.end_job("2-1", reason="Succeeded")
        await world.until_state("Succeeded", number=2)


async def expired(world: World) -> None:
    """What a finished run left is removed in the end, and its memory stays."""
    async with world.undisturbed():
        await begin(world, nodes=2, source={"configMap": "source"})
        await world.end_job("1-1", reason="Succeeded")
        await world.until_state("Succeeded")
    world.process.ahead = timedelta(hours=25)
    world.process.wake()
    await world.until_gone("Job", f"{world.name}-1-1")
    await world.until_gone("Pod", f"{world.name}-1-1-1")


async def begin(world: World, **spec: Any) -> None:
    """A training that runs."""
    await world.create(training(world.name, output=VOLUME, **spec))
    await world.run_job("1-1")
    await world.until_state("Running")


TRAININGS: tuple[Scenario, ...] = (
    one_node,
    two_nodes_source_package,
    failing,
    suspended_and_resumed,
    changed_and_queued,
    changed_and_restarted,
    retrained,
    expired,
)
