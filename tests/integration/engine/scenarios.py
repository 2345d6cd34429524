"""Stories that must end in the same way whatever happens to the operator on the way."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tests.integration.engine.world import SHA, World
from tests.samples.objects import deployment, training

from lamplighter.core.objects import Obj

PACKAGED: Obj = {"reason": "Packaged", "sha256": SHA, "sizeBytes": 7, "file": "model.mar"}
VOLUME = {"claimName": "volume"}
"""A claim that every scenario's namespace has, so that not every training waits for a volume of its own."""

Scenario = Callable[[World], Awaitable[None]]


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


def archive(digit: int) -> Obj:
    """The model of a deployment, by its digest."""
    return {"uri": "pvc://volume/model.mar", "sha256": str(digit) * 64}


async def rolled_out(world: World) -> None:
    """A deployment's first revision."""
    await world.create(serving(world, model=archive(1)))
    await world.until_state("Ready", "ModelDeployment")


async def rolled_on(world: World) -> None:
    """A second revision takes over, and the first, which nobody needs, goes."""
    async with world.undisturbed():
        await rolled_out(world)
        await world.change("ModelDeployment", revisionHistoryLimit=0)
    await world.change("ModelDeployment", model=archive(2))
    await world.until("the second revision serves", lambda: serves(world, archive(2)))


async def scaled(world: World) -> None:
    """From one pod to two."""
    async with world.undisturbed():
        await rolled_out(world)
    await world.change("ModelDeployment", replicas=2)
    await world.until("two pods serve", lambda: world.status("ModelDeployment").get("readyReplicas") == 2)


async def followed(world: World) -> None:
    """A deployment that waits for a training's first model, and takes the next one when there is one.

    It has no pods, which spares the cluster's controllers work that has no part in this.
    """
    await world.create(serving(world, model={"trainingRef": {"name": world.name}}, replicas=0))
    await world.until_state("TrainingNotFound", "ModelDeployment")
    await world.create(training(world.name, suspend=True))
    await world.until_state("WaitingForModel", "ModelDeployment")
    async with world.undisturbed():
        await publish(world, 1)
    await publish(world, 2)


async def publish(world: World, run: int) -> None:
    """A run ends in a model, and it serves."""
    await world.write_status("ModelTraining", latest={"run": run, "state": "Succeeded", "artifact": archive(run)})
    await world.until(f"run {run} serves", lambda: serves(world, archive(run)))


def serves(world: World, model: Obj) -> bool:
    """True when the stable revision has this model and nothing else is on its way."""
    status = world.status("ModelDeployment")
    served = (status.get("stable") or {}).get("model") or {}
    settled = status.get("state") == "Ready" and not status.get("retiring")
    return settled and served.get("sha256") == model["sha256"]


def serving(world: World, **spec: Any) -> Obj:
    """A deployment with one router pod, which is enough to tell a story."""
    return deployment(world.name, router={"replicas": 1}, **spec)


async def stepped(world: World) -> None:
    """A second revision takes over in steps, and somebody ends its pause."""
    async with world.undisturbed():
        await rolled_out(world)
        steps = [{"weight": 20, "pause": True}, {"weight": 60}]
        await world.change("ModelDeployment", strategy={"canary": {"steps": steps}})
    await world.change("ModelDeployment", model=archive(2))
    await world.until_state("Paused", "ModelDeployment")
    await world.annotate("ModelDeployment", "lamplighter.dev/resume", "go")
    await world.until("the second revision serves", lambda: serves(world, archive(2)))


async def aborted(world: World) -> None:
    """A second revision is given up in the middle, and the first goes on."""
    async with world.undisturbed():
        await rolled_out(world)
        await world.change("ModelDeployment", strategy={"canary": {"steps": [{"weight": 50, "pause": True}]}})
        await world.change("ModelDeployment", model=archive(2))
        await world.until_state("Paused", "ModelDeployment")
    await world.annotate("ModelDeployment", "lamplighter.dev/abort", "go")
    await world.until("the first revision is alone", lambda: alone(world))


def alone(world: World) -> bool:
    """True when an aborted candidate has gone."""
    status = world.status("ModelDeployment")
    return status.get("state") == "Aborted" and not status.get("retiring")


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
DEPLOYMENTS: tuple[Scenario, ...] = (rolled_out, rolled_on, scaled, followed, stepped, aborted)
