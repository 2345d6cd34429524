"""Objects that have the names which the operator wants, and are not its own: left alone, named, and waited for."""

from typing import Any

import pytest
from tests.integration.engine.deployments import archive, rolled_out
from tests.integration.engine.trainings import VOLUME, begin
from tests.integration.engine.watches import Watches
from tests.integration.engine.world import World
from tests.samples.objects import deployment, training

from lamplighter.core.naming import MANAGED_BY, MANAGER, OWNER_LABEL
from lamplighter.core.objects import Obj, Ref

CONTAINERS = {"containers": [{"name": "c", "image": "stranger"}]}
NEVER = {"spec": {"restartPolicy": "Never", **CONTAINERS}}
LABELS = {"app": "stranger"}
STRANGERS: dict[str, Obj] = {
    "Job": {"apiVersion": "batch/v1", "spec": {"managedBy": "example.com/stranger", "template": NEVER}},
    "Service": {"apiVersion": "v1", "spec": {"ports": [{"port": 1}]}},
    "ConfigMap": {"apiVersion": "v1", "data": {"train.py": "print('stranger')"}},
    "ControllerRevision": {"apiVersion": "apps/v1", "data": {"spec": {"image": "stranger"}}, "revision": 1},
    "PersistentVolumeClaim": {
        "apiVersion": "v1",
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    },
    "Deployment": {
        "apiVersion": "apps/v1",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": CONTAINERS},
        },
    },
}
OF_A_TRAINING = {
    "Job": "NAME-1-1",
    "Service": "NAME-1-1",
    "ConfigMap": "NAME-1",
    "ControllerRevision": "NAME-1",
    "PersistentVolumeClaim": "NAME-models",
}
OF_A_DEPLOYMENT = {"Service": "NAME", "ControllerRevision": "NAME-HASH", "Deployment": "NAME-HASH"}


@pytest.mark.parametrize("kind", OF_A_TRAINING)
async def test_a_training_names_the_stranger_and_goes_on_when_it_is_gone(watches: Watches, kind: str) -> None:
    world = World(watches, "digits", kinds=("ModelTraining",))
    stranger = await plant(world, kind, OF_A_TRAINING[kind].replace("NAME", world.name))
    async with world.process.running():
        await world.create(training(world.name, nodes=2, source={"configMap": "source"}))
        await world.until_state("NameTaken")
        await left_alone(world, stranger, "ModelTraining")
        await goes_on(world, "ModelTraining")
        await world.run_job("1-1")
        await world.until_state("Running")


@pytest.mark.parametrize("kind", OF_A_DEPLOYMENT)
async def test_a_deployment_names_the_stranger_and_goes_on_when_it_is_gone(watches: Watches, kind: str) -> None:
    revision = await hash_of_the_revision(watches)
    world = World(watches, "digits", kinds=("ModelDeployment",))
    stranger = await plant(world, kind, OF_A_DEPLOYMENT[kind].replace("NAME", world.name).replace("HASH", revision))
    async with world.process.running():
        await world.create(deployment(world.name, model=archive(1)))
        await world.until_state("NameTaken", "ModelDeployment")
        await left_alone(world, stranger, "ModelDeployment")
        await goes_on(world, "ModelDeployment")
        await world.until_state("Ready", "ModelDeployment")


@pytest.mark.parametrize("kind", ["Job", "ConfigMap", "ControllerRevision"])
async def test_labels_alone_do_not_make_a_stranger_ours(watches: Watches, kind: str) -> None:
    world = World(watches, "digits", kinds=("ModelTraining",))
    marks = {MANAGED_BY: MANAGER, OWNER_LABEL["ModelTraining"]: world.name, "lamplighter.dev/run": "1"}
    stranger = await plant(world, kind, OF_A_TRAINING[kind].replace("NAME", world.name), labels=marks)
    async with world.process.running():
        await world.create(training(world.name, source={"configMap": "source"}, ttlAfterFinished="0s"))
        await world.until_state("NameTaken")
        await left_alone(world, stranger, "ModelTraining")


async def test_a_neighbour_with_our_labels_is_not_tidied_away(watches: Watches) -> None:
    world = World(watches, "digits", kinds=("ModelTraining",))
    marks = {MANAGED_BY: MANAGER, OWNER_LABEL["ModelTraining"]: world.name, "lamplighter.dev/run": "1"}
    neighbours = [await plant(world, kind, "neighbour", labels=marks) for kind in OF_A_TRAINING]
    async with world.process.running():
        await begin(world, ttlAfterFinished="0s")
        await world.end_job("1-1", reason="Succeeded")
        await world.until_gone("Job", "digits-1-1")
        await world.until_resting()
    for neighbour in neighbours:
        assert await unchanged(world, neighbour)


async def test_a_volume_that_an_earlier_training_left_is_used_again(watches: Watches) -> None:
    world = World(watches, "digits", kinds=("ModelTraining",))
    marks = {MANAGED_BY: MANAGER, OWNER_LABEL["ModelTraining"]: world.name}
    left = await plant(world, "PersistentVolumeClaim", "digits-models", labels=marks)
    async with world.process.running():
        await world.create(training(world.name))
        await world.run_job("1-1")
        await world.until_state("Running")
    assert await unchanged(world, left)


async def test_what_the_api_server_refuses_is_told_and_tried_again(watches: Watches) -> None:
    world = World(watches, "digits", kinds=("ModelTraining",))
    async with world.process.running():
        await world.create(training(world.name, output=VOLUME, template={"spec": {"volumes": [{"name": "bad name"}]}}))
        await world.until_state("Refused")
        message = world.status()["conditions"][0]["message"]
        assert "the API server refuses Job" in message
        assert "bad name" in message
        await world.server.change(world.the("ModelTraining", world.name), template={"spec": {"volumes": None}})
        await world.run_job("2-1")
        await world.until_state("Running")


async def plant(world: World, kind: str, name: str, **meta: Any) -> Obj:
    """Create a stranger's object."""
    return await world.create({"kind": kind, "metadata": {"name": name, **meta}, **STRANGERS[kind]})


async def left_alone(world: World, stranger: Obj, kind: str) -> None:
    """Check that the condition names the stranger and that nobody has touched it; then its owner deletes it."""
    meta = stranger["metadata"]
    ready = next(entry for entry in world.status(kind)["conditions"] if entry["type"] == "Ready")
    assert ready["reason"] == "NameTaken"
    assert f"{stranger['kind']} {meta['namespace']}/{meta['name']} exists and is not part of this" in ready["message"]
    assert await unchanged(world, stranger)
    await world.server.delete(Ref(stranger["kind"], meta["namespace"], meta["name"], meta["uid"]))


async def goes_on(world: World, kind: str) -> None:
    """Wait until the name is not taken any more; the operator looks from time to time, here all the time."""

    def free() -> bool:
        world.process.wake()
        return bool(world.status(kind)["state"] != "NameTaken")

    await world.until("the name is free", free)


async def unchanged(world: World, before: Obj) -> bool:
    """True when nobody but controllers of Kubernetes has touched the object."""
    meta = before["metadata"]
    now = await world.server.get(Ref(before["kind"], meta["namespace"], meta["name"]))
    assert now is not None
    managers = {entry["manager"] for entry in now["metadata"]["managedFields"] if entry["operation"] == "Update"}
    same = all(now["metadata"].get(field) == meta.get(field) for field in ("uid", "labels", "ownerReferences"))
    same_content = all(now.get(field) == before.get(field) for field in ("spec", "data", "revision"))
    return same and (same_content or "kube-controller-manager" in managers)


async def hash_of_the_revision(watches: Watches) -> str:
    """What the revision of a deployment of ``archive(1)`` is called."""
    world = World(watches, "probe", kinds=("ModelDeployment",))
    async with world.process.running():
        await rolled_out(world)
    return str(world.status("ModelDeployment")["stable"]["revision"])
