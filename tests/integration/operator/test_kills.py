"""The operator is killed again and again while trainings run and revisions take over."""

import random
from collections.abc import Sequence
from functools import partial

from tests.integration.engine.conftest import CLAIM
from tests.integration.engine.deployments import archive
from tests.integration.engine.ending import ending
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import PACKAGE, Story
from tests.samples.objects import deployment, training
from tests.waiting import until

from lamplighter.core.naming import ABORT, UNDO, digest
from lamplighter.core.objects import Obj

TRAININGS, DEPLOYMENTS, AT_ONCE = 20, 8, 4
DEATHS = 5
"""While the second revisions of so many deployments take over at once."""
STEPS = [{"weight": 20, "hold": "1s"}, {"weight": 50}]
VOLUME: Obj = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "volume"}, "spec": CLAIM}


async def test_kill_9_at_any_moment_changes_nothing_but_time(new_operator: NewOperator, watches: Watches) -> None:
    dice = random.Random(20)
    operator = new_operator()
    stories = [Story(watches, f"digits-{number}") for number in range(TRAININGS)]
    for first in range(0, TRAININGS, AT_ONCE):
        await until("the operator is ready", lambda: operator.ready)
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


async def test_kill_9_at_any_moment_of_a_rollout_changes_nothing_but_time(
    new_operator: NewOperator, watches: Watches
) -> None:
    dice = random.Random(8)
    operator = new_operator()
    stories = [Story(watches, f"digits-{number}") for number in range(DEPLOYMENTS)]
    *rolled, undone, aborted = stories
    await stories[0].create(VOLUME)
    for some in (stories[:AT_ONCE], stories[AT_ONCE:]):
        await until("the operator is ready", lambda: operator.ready)
        for story in some:
            steps = [{"weight": 20, "pause": True}] if story is aborted else STEPS
            canary = {"canary": {"steps": steps}}
            await story.create(deployment(story.name, model=archive(1), router={"replicas": 1}, strategy=canary))
        await dies(watches, operator, dice.randint(1, 60))
        operator.start()
    await all_serve(stories, archive(1))
    for some in (stories[:AT_ONCE], stories[AT_ONCE:]):
        for story in some:
            await story.change("ModelDeployment", model=archive(2))
        for _ in range(DEATHS):
            await until("the operator is ready", lambda: operator.ready)
            await dies(watches, operator, dice.randint(1, 30), [story for story in some if story is not aborted])
            operator.start()
    await all_serve([*rolled, undone], archive(2))
    await aborted.until_state("Paused", "ModelDeployment")
    watches.forget_removed(undone.name)
    await until("the operator is ready", lambda: operator.ready)
    await undone.annotate("ModelDeployment", UNDO, "go")
    await aborted.annotate("ModelDeployment", ABORT, "go")
    await dies(watches, operator, dice.randint(1, 10))
    operator.start()
    await all_serve([undone], archive(1))
    await all_serve([aborted], archive(1), state="Aborted")
    assert outcomes(undone) == ["Served", "Served"]
    assert outcomes(aborted) == ["Aborted"]
    pattern, *others = (ending(watches.of_owner(story.name).values(), story.name) for story in rolled)
    assert others == [pattern] * len(others)
    assert {place: uids for place, uids in watches.uids.items() if len(uids) > 1 and place[0] != "Pod"} == {}


async def all_serve(stories: list[Story], model: Obj, state: str = "Ready") -> None:
    """Wait until each serves this model, and what the other revisions had is gone."""
    for story in stories:
        await story.until(f"{model['sha256']} serves alone", partial(alone, story, model, state))


def alone(story: Story, model: Obj, state: str = "Ready") -> bool:
    """True when a deployment has come to this state, and has what this model needs and nothing else."""
    status = story.status("ModelDeployment")
    stable = status.get("stable") or {}
    if status.get("state") != state or status["retiring"] or stable["model"] != model:
        return False
    revisions = [child for child in story.children() if child.startswith("ControllerRevision")]
    return len(revisions) <= 2 and set(story.children()) - set(revisions) == {
        f"ConfigMap {story.name}-router",
        f"Deployment {story.name}-{stable['revision']}",
        f"Deployment {story.name}-router-{digest({})}",
        f"NetworkPolicy {story.name}",
        f"Service {story.name}",
        f"Service {story.name}-{stable['revision']}",
    }


def outcomes(story: Story) -> list[str]:
    """What became of the revisions that do not serve any more, newest first."""
    return [line["outcome"] for line in story.status("ModelDeployment")["history"]]


async def dies(watches: Watches, operator: Operator, after: int, rolling: Sequence[Story] = ()) -> None:
    """Kill the operator when so many more things have happened in the namespace, or these have the second model."""
    last = watches.count + after

    def due() -> bool:
        return watches.count >= last or (bool(rolling) and all(alone(story, archive(2)) for story in rolling))

    await until(f"{after} more events", due)
    operator.kill()
