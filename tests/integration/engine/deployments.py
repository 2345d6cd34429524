"""Stories of deployments that must end in the same way whatever happens to the operator on the way."""

from typing import Any

from tests.integration.engine.world import Scenario, World
from tests.samples.objects import deployment, training

from lamplighter.core.objects import Obj


def archive(digit: int) -> Obj:
    """The model of a deployment, by its digest."""
    return {"uri": "pvc://volume/model.mar", "sha256": str(digit) * 64}


async def rolled_out(world: World, **spec: Any) -> None:
    """A deployment's first revision."""
    await world.create(serving(world, model=archive(1), **spec))
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


def serves(world: World, model: Obj, kept: int = 0) -> bool:
    """True when the stable revision has this model and nothing else is on its way; so many before it are kept warm."""
    status = world.status("ModelDeployment")
    settled = status.get("state") == "Ready" and len(status.get("retiring", ())) == kept
    return settled and stable(world) == model["sha256"]


def stable(world: World) -> str | None:
    """The digest of the model that serves."""
    served: str | None = (world.status("ModelDeployment").get("stable") or {}).get("model", {}).get("sha256")
    return served


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


async def undone(world: World) -> None:
    """The first revision, which had gone, is brought back by somebody, and the second is kept warm."""
    async with world.undisturbed():
        await rolled_out(world, replicas=0)
        await world.change("ModelDeployment", model=archive(2))
        await world.until("the second revision serves", lambda: serves(world, archive(2)))
        await world.change("ModelDeployment", strategy={"blueGreen": {"keep": "1h"}})
    world.watches.forget_removed(world.name)
    await world.annotate("ModelDeployment", "lamplighter.dev/undo", "go")
    await world.until("the first revision serves", lambda: serves(world, archive(1), kept=1))


async def switched(world: World) -> None:
    """A second revision waits behind the preview, and somebody has it take over in one switch."""
    async with world.undisturbed():
        await rolled_out(world, strategy={"blueGreen": {"autoPromote": False, "keep": "0s"}})
    await world.change("ModelDeployment", model=archive(2))
    await world.until_state("Paused", "ModelDeployment")
    await world.annotate("ModelDeployment", "lamplighter.dev/promote", "go")
    await world.until("the second revision serves", lambda: serves(world, archive(2)))


async def recreated(world: World) -> None:
    """The pods of the first revision go before those of the second come."""
    async with world.undisturbed():
        await rolled_out(world, strategy={"recreate": {}})
    await world.change("ModelDeployment", model=archive(2))
    await world.until("the second revision took over", lambda: stable(world) == archive(2)["sha256"])
    async with world.undisturbed():
        await world.until("the first revision is gone", lambda: serves(world, archive(2)))


async def replaced(world: World) -> None:
    """A third revision takes over at once while the second has half of the requests and waits for somebody."""
    async with world.undisturbed():
        await rolled_out(world, replicas=0, strategy={"canary": {"steps": [{"weight": 50, "pause": True}]}})
        await world.change("ModelDeployment", model=archive(2))
        await world.until_state("Paused", "ModelDeployment")
    await world.change("ModelDeployment", model=archive(3), strategy={"canary": {"steps": []}})
    await world.until("the third revision serves", lambda: serves(world, archive(3)))


async def skipped(world: World) -> None:
    """Somebody pauses a candidate that is sent copies, has it skip the hour that this takes, and lets it go on."""
    steps = [{"weight": 0, "mirror": 10, "hold": "1h"}, {"weight": 50, "hold": "1h"}]
    async with world.undisturbed():
        await rolled_out(world, replicas=0, strategy={"canary": {"steps": steps}})
        await world.change("ModelDeployment", model=archive(2))
        await world.until_state("Holding", "ModelDeployment")
    await world.annotate("ModelDeployment", "lamplighter.dev/pause", "go")
    await world.until_state("Paused", "ModelDeployment")
    await world.annotate("ModelDeployment", "lamplighter.dev/skip", "go")
    await world.until("the second step waits", lambda: candidate(world)["progress"] == "2/3")
    await world.annotate("ModelDeployment", "lamplighter.dev/resume", "go")
    await world.until("the second step is held", lambda: candidate(world).get("stepSince"))


def candidate(world: World) -> Obj:
    """The revision that is on its way."""
    found: Obj = world.status("ModelDeployment")["candidate"]
    return found


async def rerouted(world: World) -> None:
    """Other router pods take over, and those before them go."""
    async with world.undisturbed():
        await rolled_out(world, replicas=0)
    (before,) = routers(world)
    await world.change("ModelDeployment", router={"template": {"metadata": {"annotations": {"a": "b"}}}})
    await world.until("the old router Deployment is gone", lambda: before not in routers(world))
    await world.until("its pod is gone", lambda: not _pods(world, before))


def _pods(world: World, workload: str) -> list[str]:
    """The pods of a Deployment. What the status counts of them is the same before its successor's are ready."""
    children = world.watches.of_owner(world.name)
    return [name for kind, name in children if kind == "Pod" and name.startswith(f"{workload}-")]


def routers(world: World) -> set[str]:
    """The Deployments of router pods."""
    return {name for kind, name in world.watches.of_owner(world.name) if kind == "Deployment" and "-router-" in name}


WISHES: tuple[Scenario, ...] = (undone, switched, recreated, replaced, skipped, rerouted)
"""What people do to a deployment beyond a rollout: made of calls that the other stories have, too, in another order."""
DEPLOYMENTS: tuple[Scenario, ...] = (rolled_out, rolled_on, scaled, followed, stepped, aborted, *WISHES)
