"""The API server is out of reach for a while, and the world goes on meanwhile."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.engine.watches import Watches
from tests.integration.operator.line import Line
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import HOLD, Story
from tests.integration.operator.test_leadership import SHORT
from tests.samples.objects import training
from tests.waiting import until


@pytest.fixture
async def line(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Line]:
    """A line to the cluster, with ``kubeconfig`` in the test's folder."""
    async with Line.to(kubeconfig, tmp_path / "kubeconfig") as laid:
        yield laid


@pytest.mark.parametrize("elected", [False, True], ids=["alone", "elected"])
async def test_what_happened_during_an_outage_is_caught_up_with(
    watches: Watches, line: Line, tmp_path: Path, elected: bool
) -> None:
    lease = {
        "LAMPLIGHTER_LEADER_ELECTION": str(elected),
        "POD_NAMESPACE": watches.namespace,
        "LAMPLIGHTER_LEASE_DURATION": "600",
        "LAMPLIGHTER_LEASE_RENEW_DEADLINE": "300",
    }
    with Operator(tmp_path / "kubeconfig", tmp_path / "operator.log", (watches.namespace,), **lease) as operator:
        kept, ended, deleted, changed = (Story(watches, name) for name in ("kept", "ended", "deleted", "changed"))
        for story in (kept, ended, deleted, changed):
            await story.create(training(story.name, **HOLD))
        for story in (kept, ended, deleted, changed):
            await story.until_state("Running")

        line.cut()
        await until("nobody is connected", lambda: not line.used)
        await ended.end_pods()
        await deleted.delete("ModelTraining")
        await watches.server.change(changed.get("ModelTraining"), suspend=True)
        created = Story(watches, "created")
        await created.create(training(created.name))
        await ended.until("its Job is complete", lambda: ended.get("Job", "ended-1-1")["status"].get("succeeded"))
        await deleted.until("only the volume is left", lambda: not deleted.get("Job", "deleted-1-1"))
        await deleted.create(training(deleted.name))
        assert ended.status()["state"] == "Running"

        line.mend()
        for story, state in (
            (created, "Succeeded"),
            (ended, "Succeeded"),
            (deleted, "Succeeded"),
            (changed, "Suspended"),
        ):
            await story.until_state(state)
        assert kept.status()["state"] == "Running"
        assert all(len(uids) == 1 for story in (kept, ended, changed, created) for uids in story.jobs().values())
        assert len(deleted.jobs()["deleted-1-1"]) == 2
        assert operator.exit_code is None


@pytest.mark.parametrize("harm", [Line.cut, Line.stall], ids=["cut", "stands-still"])
async def test_a_leader_that_cannot_renew_its_lease_ends(
    watches: Watches, line: Line, tmp_path: Path, harm: Callable[[Line], None]
) -> None:
    lease = {"LAMPLIGHTER_LEADER_ELECTION": "true", "POD_NAMESPACE": watches.namespace, **SHORT}
    with Operator(tmp_path / "kubeconfig", tmp_path / "operator.log", (watches.namespace,), **lease) as operator:
        story = Story(watches, "kept")
        await story.create(training(story.name, **HOLD))
        await story.until_state("Running")  # it leads, and works
        harm(line)
        await until("it ends", lambda: operator.exit_code is not None)
        assert operator.exit_code == 1
        assert "the lease is lost" in operator.log
        assert "Traceback" not in operator.log
