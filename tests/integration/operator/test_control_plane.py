"""The cluster itself has gaps: our CRDs are missing, the API server is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control_plane import ControlPlane, control_plane
from tests.integration.engine import server
from tests.integration.engine.server import Server
from tests.integration.engine.watches import Watches
from tests.integration.operator.line import Line
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import HOLD, Story
from tests.integration.operator.test_refusals import ends_with
from tests.samples.objects import training
from tests.waiting import until

NAMESPACE = "default"


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    """A cluster of its own for this file."""
    with control_plane() as up:
        yield up


async def test_an_operator_without_crds_says_so_and_ends(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.kubectl("delete", "crd", "--all")
    with Operator(cluster.kubeconfig, tmp_path / "log") as operator:
        await ends_with(operator, "cannot list ModelTrainings: 404", "CRDs")


async def test_an_operator_survives_the_death_of_the_api_server(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.install()
    with Operator(cluster.kubeconfig, tmp_path / "log") as operator:
        async with server.connect(cluster.kubeconfig, Server) as connection:
            async with Watches.of(connection, NAMESPACE) as watches:
                before = Story(watches, "before")
                await before.create(training(before.name, **HOLD))
                await before.until_state("Running")
            cluster.restart_api_server()
            await until("the API server answers", connection.answers)
            async with Watches.of(connection, NAMESPACE) as watches:
                before, after = Story(watches, "before"), Story(watches, "after")
                await after.create(training(after.name))
                await after.until_state("Succeeded")
                await before.end_pods()
                await before.until_state("Succeeded")
        assert operator.exit_code is None, operator.log


async def test_what_was_deleted_while_no_watch_could_be_resumed_is_forgotten(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.install()
    async with Line.to(cluster.kubeconfig, tmp_path / "kubeconfig") as line:
        with Operator(tmp_path / "kubeconfig", tmp_path / "log") as operator:
            async with server.connect(cluster.kubeconfig, Server) as connection:
                async with Watches.of(connection, NAMESPACE) as watches:
                    kept, gone = Story(watches, "kept"), Story(watches, "gone")
                    for story in (kept, gone):
                        await story.create(training(story.name, **HOLD))
                        await story.until_state("Running")
                    line.cut()
                    await until("nobody is connected", lambda: not line.used)
                    await gone.delete("ModelTraining")
                    await gone.until("the training is gone", lambda: not gone.get("ModelTraining"))
                cluster.restart_api_server()  # it does not remember what it has reported
                await until("the API server answers", connection.answers)
            line.mend()
            forgotten = "ModelTrainings were deleted while their watch was interrupted"
            await until("it is forgotten", lambda: forgotten in operator.log)
            assert "this concerns ModelTraining default/gone" in operator.log
            assert operator.exit_code is None
