"""The operator is struck at every single call, and every story ends as if nothing had happened."""

import asyncio
import difflib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from tests.integration.engine.deployments import DEPLOYMENTS, WISHES, rolled_out
from tests.integration.engine.ending import ending
from tests.integration.engine.faults import Fault, Storm, Trap
from tests.integration.engine.server import WATCHED
from tests.integration.engine.trainings import TRAININGS, two_nodes_source_package
from tests.integration.engine.watches import Watches, owner_name
from tests.integration.engine.world import Scenario, World

from lamplighter.core.naming import MANAGED_BY, MANAGER, OWNER_LABEL
from lamplighter.core.objects import Obj, controller_uid, labels

UNDISTURBED = 3
"""Where real controllers take part, a story is not told with the same number of calls each time."""
AT_ONCE = 16
ALONE = 10
"""How often a story is told alone until it comes to the call that is to be struck."""
STORMS = 4


@pytest.mark.parametrize("scenario", [*TRAININGS, *DEPLOYMENTS], ids=lambda scenario: scenario.__name__)
async def test_a_fault_at_any_call_changes_nothing_in_the_end(watches: Watches, scenario: Scenario) -> None:
    stories = Stories(watches, scenario)
    undisturbed = [await stories.tell(f"undisturbed-{number}", Trap()) for number in range(UNDISTURBED)]
    calls = sorted(world.trap.calls for world in undisturbed)
    strikes = [
        (f"{fault.name.lower().replace('_', '-')}-{at}", Trap(fault, at))
        for at in range(1, calls[-1] + 1)
        for fault in faults(scenario, at)
    ]
    storms = [(f"storm-{seed}", Storm(seed)) for seed in range(STORMS)]
    await stories.tell_all([*strikes, *storms])
    struck = {trap.at for _, trap in strikes if trap.fired}
    for at in set(range(1, calls[0] + 1)) - struck:
        await stories.strike(at)
    await stories.judge(undisturbed)


def faults(scenario: Scenario, call: int) -> list[Fault]:
    """How a call is struck: in every way where everything is made, elsewhere with one error in turn and every death.

    Among wishes, all but the death after the call take turns: what a death before a call leaves is nearly always what
    one after the call before it leaves.
    """
    if scenario in (two_nodes_source_package, rolled_out):
        return list(Fault)
    if scenario in WISHES:
        others = [fault for fault in Fault if fault is not Fault.KILLED_AFTER]
        return [others[call % len(others)], Fault.KILLED_AFTER]
    refusals = [fault for fault in Fault if not fault.performed and not fault.deadly]
    return [refusals[call % len(refusals)], Fault.UNANSWERED, Fault.KILLED_BEFORE, Fault.KILLED_AFTER]


class Stories:
    """One scenario, told under many names in one namespace."""

    def __init__(self, watches: Watches, scenario: Scenario) -> None:
        self._watches = watches
        self._scenario = scenario
        self._names: list[str] = []

    async def tell(self, name: str, trap: Trap) -> World:
        """Tell the story to its end, with a trap on the way."""
        kinds = ("ModelDeployment",) if self._scenario in DEPLOYMENTS else ("ModelTraining",)
        world = World(self._watches, name, trap, kinds=kinds)
        async with world.process.running():
            await self._scenario(world)
            await world.until_resting()
        self._names.append(name)
        return world

    async def tell_all(self, stories: Iterable[tuple[str, Trap]]) -> None:
        """Tell many stories, some at the same time."""
        room = asyncio.Semaphore(AT_ONCE)

        async def tell(name: str, trap: Trap) -> None:
            async with room:
                await self.tell(name, trap)

        async with asyncio.TaskGroup() as group:
            for name, trap in stories:
                group.create_task(tell(name, trap))

    async def strike(self, call: int) -> None:
        """Strike a call that no story told among others came to: told alone, a story has its full number of calls.

        Writes of real controllers fall together in one reconcile when many stories are told at once.
        """
        for turn in range(ALONE):
            trap = Trap(Fault.KILLED_AFTER, call)
            await self.tell(f"alone-{call}-{turn}", trap)
            if trap.fired:
                return
        raise AssertionError(f"call {call} was never struck")

    async def judge(self, undisturbed: list[World]) -> None:
        """All stories ended as the undisturbed did, said nothing else on the way, and left nothing twice or alone."""
        lists = await asyncio.gather(*(self._watches.server.list(kind, self._watches.namespace) for kind in WATCHED))
        objects = [obj for items, _ in lists for obj in items]
        told: defaultdict[str, list[Obj]] = defaultdict(list)
        for obj in objects:
            told[owner_name(obj)].append(obj)
        pattern = undisturbed[0].name
        expected = ending(told[pattern], pattern)
        said = set().union(*(self._watches.states[world.name] for world in undisturbed))
        for name in self._names:
            found = ending(told[name], name)
            assert found == expected, f"{name}:\n" + "\n".join(_difference(expected, found))
            assert self._watches.states[name] <= said, name
        assert self._made_twice() == {}
        assert _orphans(objects) == []

    def _made_twice(self) -> dict[tuple[str, str], Any]:
        """What had more than one uid; the pods are played by the tests, or made by controllers of Kubernetes."""
        return {place: uids for place, uids in self._watches.uids.items() if len(uids) > 1 and place[0] != "Pod"}


def _difference(expected: Obj, found: Obj) -> Iterable[str]:
    """The lines in which two endings differ."""
    texts = [json.dumps(what, indent=1, sort_keys=True).splitlines() for what in (expected, found)]
    return difflib.unified_diff(*texts, "undisturbed", "disturbed", lineterm="")


def _orphans(objects: list[Obj]) -> list[str]:
    """What says that it is ours and has nobody to whom it belongs; a volume belongs to a training by its label."""
    alive = {obj["metadata"]["uid"] for obj in objects}
    primary = {obj["metadata"]["name"] for obj in objects if obj["kind"] in OWNER_LABEL}
    return [
        f"{obj['kind']} {obj['metadata']['name']}"
        for obj in objects
        if obj["kind"] != "Pod"  # made and removed by the controllers of Kubernetes
        and labels(obj).get(MANAGED_BY) == MANAGER
        and controller_uid(obj) not in alive
        and not (obj["kind"] == "PersistentVolumeClaim" and owner_name(obj) in primary)
    ]
