"""An operator of the next version takes over what an earlier one has made."""

import pytest
from tests.integration.engine import process
from tests.integration.engine.deployments import rolled_out
from tests.integration.engine.trainings import begin
from tests.integration.engine.watches import Watches
from tests.integration.engine.world import World

from lamplighter.__main__ import kinds
from lamplighter.deployment.serving import torchserve
from lamplighter.settings import Settings
from lamplighter.training.stages import train


async def test_other_defaults_and_builders_change_nothing_that_exists(
    watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = World(watches, "running", kinds=("ModelTraining",))
    finished = World(watches, "finished", kinds=("ModelTraining",))
    serving = World(watches, "serving", kinds=("ModelDeployment",))
    async with running.process.running(), finished.process.running(), serving.process.running():
        await begin(running, nodes=2)
        await begin(finished, nodes=2)
        await finished.end_job("1-1", reason="Succeeded")
        await finished.until_state("Succeeded")
        await rolled_out(serving)
        for world in (running, finished, serving):
            await world.until_resting()
    monkeypatch.setattr(process, "KINDS", kinds(Settings(torchserve_image="lamplighter/torchserve:next")))
    monkeypatch.setattr(train, "_LAUNCH", "exec next-launcher")
    monkeypatch.setattr(train, "MASTER_PORT", 29501)
    monkeypatch.setattr(torchserve, "DRAIN_SECONDS", 50)
    for world in (running, finished, serving):
        async with world.process.running():
            assert await world.process.rests()
