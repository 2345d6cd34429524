"""What goes wrong from outside: pods are deleted, evicted, preempted and get stuck, nodes fall silent and disappear."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.programs.soak.ground import Ground
from tests.programs.soak.kubelet import Kubelet
from tests.programs.soak.record import Record

from lamplighter.core import pods
from lamplighter.core.objects import Obj

NODES = tuple(f"node-{number}" for number in range(10))
_MOST_OUT = 3
"""Nodes that are away at once."""


@dataclass
class Storm:
    """Does harm at random moments until it is cancelled; :attr:`outages` end by themselves."""

    ground: Ground
    record: Record
    kubelet: Kubelet
    dice: random.Random
    mean_pause: float
    done: Counter[str] = field(default_factory=Counter)
    """How often what was done."""

    async def rage(self, outages: asyncio.TaskGroup) -> None:
        """For ever."""
        harms: list[tuple[int, Callable[[], Awaitable[bool]]]] = [
            (4, self._delete),
            (4, self._evict),
            (3, self._preempt),
            (2, self._taint),
            (2, self._kubelet_evicts),
            (2, self._shut_down),
            (3, self._stick),
        ]
        weights, actions = zip(*harms, strict=True)
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / self.mean_pause))
            if self.dice.random() < 0.12:
                self._outage(outages)
                continue
            action = self.dice.choices(actions, weights)[0]
            if await action():
                self.done[action.__name__.strip("_")] += 1

    def _victim(self) -> Obj | None:
        alive = [pod for pod in self.record.all("Pod") if not pods.over(pod)]
        alive = [pod for pod in alive if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName")]
        return self.dice.choice(alive) if alive else None

    async def _delete(self) -> bool:
        pod, grace = self._victim(), self.dice.choice(({}, {"gracePeriodSeconds": 0}))
        return pod is not None and await self.ground.remove(pod, **grace)

    async def _evict(self) -> bool:
        pod = self._victim()
        return pod is not None and await self.ground.evict(pod)

    async def _preempt(self) -> bool:
        return await self._disrupt("PreemptionByScheduler")

    async def _taint(self) -> bool:
        return await self._disrupt("DeletionByTaintManager")

    async def _disrupt(self, reason: str) -> bool:
        pod = self._victim()
        if pod is None or not await self.ground.disrupt(pod, reason):
            return False
        await asyncio.sleep(self.dice.uniform(0, 0.5))
        return await self.ground.remove(pod)

    async def _kubelet_evicts(self) -> bool:
        pod = self._victim()
        if pod is None or not await self.ground.disrupt(pod, "TerminationByKubelet"):
            return False
        said = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        return await self.ground.tell(pod, said)

    async def _shut_down(self) -> bool:
        pod = self._victim()
        said = {"phase": "Failed", "reason": "Terminated", "message": "Pod was terminated: the node shuts down."}
        return pod is not None and await self.ground.tell(pod, said)

    async def _stick(self) -> bool:
        pod = self._victim()
        if pod is None or not await self.ground.annotate(pod, "stuck"):
            return False
        return await self.ground.remove(pod)

    def _outage(self, outages: asyncio.TaskGroup) -> None:
        up = [node for node in NODES if node not in self.kubelet.silent]
        if len(NODES) - len(up) >= _MOST_OUT:
            return
        node, lasts, gone = self.dice.choice(up), self.dice.uniform(1, 15), self.dice.random() < 0.3
        self.kubelet.silent.add(node)
        self.done["node gone" if gone else "node silent"] += 1
        outages.create_task(self._is_out(node, lasts, gone))

    async def _is_out(self, node: str, lasts: float, gone: bool) -> None:
        """A node is away for a while; what was to be ended on it waits until it is back."""
        for pod in self.record.all("Pod"):
            if pod["spec"].get("nodeName") == node and not pods.over(pod):
                await self.ground.annotate(pod, "stuck")
        await (self.ground.remove_node(node) if gone else self.ground.silence(node))
        await asyncio.sleep(lasts)
        await (self.ground.add_node(node) if gone else self.ground.heal(node))
        self.kubelet.silent.discard(node)
