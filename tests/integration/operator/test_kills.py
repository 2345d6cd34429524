"""The operator is killed again and again while trainings run."""

import random

from tests.integration.engine.watches import Watches, wait_until
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import PACKAGE, Story
from tests.samples.objects import training

TRAININGS, AT_ONCE = 20, 4


async def test_kill_9_at_any_moment_changes_nothing_but_time(new_operator: NewOperator, watches: Watches) -> None:
    dice = random.Random(20)
    operator = new_operator()
    stories = [Story(watches, f"digits-{number}") for number in range(TRAININGS)]
    for first in range(0, TRAININGS, AT_ONCE):
        await wait_until("the operator is ready", lambda: operator.ready)
        for story in stories[first : first + AT_ONCE]:
            await story.create(training(story.name, nodes=2, **PACKAGE))
        await dies(watches, operator, dice.randint(1, 60))
        operator.start()
    for story in stories:
        await story.until_state("Succeeded")
    for story in stories:
        jobs = {f"{story.name}-1-1", f"{story.name}-1-package-1"}
        assert {name: len(uids) for name, uids in story.jobs().items() if name in jobs} == dict.fromkeys(jobs, 1)
        assert [record["run"] for record in story.status()["history"]] == [1]
        assert set(story.children()) == {
            f"ControllerRevision {story.name}-1",
            f"Job {story.name}-1-1",
            f"Job {story.name}-1-package-1",
            f"PersistentVolumeClaim {story.name}-models",
            f"Service {story.name}-1-1",
        }


async def dies(watches: Watches, operator: Operator, after: int) -> None:
    """Kill the operator when so many more things have happened in the namespace."""
    last = watches.count + after
    await wait_until(f"{after} more events", lambda: watches.count >= last)
    operator.kill()
