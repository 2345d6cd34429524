"""Stories of deployments that must end in the same way whatever happens to the operator on the way."""

from typing import Any

from tests.integration.engine.world import Scenario, World
from tests.samples.objects import deployment, training

from lamplighter.core.objects import Obj


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


DEPLOYMENTS: tuple[Scenario, ...] = (rolled_out, rolled_on, scaled, followed, stepped, aborted)
