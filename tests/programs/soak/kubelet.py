"""Plays the kubelets of the fake nodes for pods that kwok holds: programs end, well or not, and are stopped slowly."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.programs.soak import deaths
from tests.programs.soak.deaths import Death
from tests.programs.soak.ground import KWOK, Ground, training_of
from tests.programs.soak.record import Record

from lamplighter.api.failures import Cause
from lamplighter.core import pods
from lamplighter.core.naming import STAGE
from lamplighter.core.objects import Obj, annotations, labels

_LOOK_EVERY = 0.2
_MOST_BROKEN_GPUS = 3
"""By training: more would be avoiding all nodes there are."""


@dataclass
class _Fate:
    """What becomes of the pods of a Job: they end well after their time, but for one that dies before, once."""

    lives: float
    victim: str | None = None
    death: Death = deaths.SUCCESS
    dies: float = 0.0
    pulls_down: bool = False
    """Its peers notice and end, before the Job controller deletes them."""
    dead: bool = False


@dataclass
class Kubelet:
    """For all nodes but those that are ``silent``."""

    ground: Ground
    record: Record
    dice: random.Random
    silent: set[str] = field(default_factory=set)
    calm: bool = False
    """Every program succeeds from now on."""
    injected: defaultdict[str, Counter[Cause]] = field(default_factory=lambda: defaultdict(Counter))
    """Deaths by training and cause."""
    _fates: dict[str, _Fate] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _stops: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for pod in self.record.all("Pod"):
                if annotations(pod).get(KWOK) in ("hold", "stuck") and pod["spec"].get("nodeName") not in self.silent:
                    await self._look(pod)

    async def _look(self, pod: Obj) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            await self._stop(pod)
        elif pod.get("status", {}).get("phase") == "Running" and pod["metadata"]["uid"] not in self._told:
            await self._live(pod)

    async def _stop(self, pod: Obj) -> None:
        """Let the program end, and then the pod go."""
        if annotations(pod)[KWOK] != "stuck":
            return  # kwok removes it
        due = self._stops.setdefault(pod["metadata"]["uid"], time.monotonic() + self.dice.uniform(0, 6))
        if time.monotonic() < due:
            return
        if not pods.over(pod) and self.dice.random() < 0.8:
            await self._end(pod, deaths.TERMINATED)
        await self.ground.annotate(pod, "hold")

    async def _live(self, pod: Obj) -> None:
        uid, fate = pod["metadata"]["uid"], self._fate(pod)
        lived = time.monotonic() - self._since.setdefault(uid, time.monotonic())
        mine = _index(pod) == fate.victim
        if self.calm:
            if lived >= min(fate.lives, 2.0):
                await self._end(pod, _success(pod))
        elif fate.dead and fate.pulls_down and not mine:
            await self._end(pod, deaths.PEER_LOST)
        elif mine and not fate.dead:
            if lived >= fate.dies:
                fate.dead = True
                await self._end(pod, fate.death)
        elif lived >= fate.lives:
            await self._end(pod, _success(pod))

    async def _end(self, pod: Obj, death: Death) -> None:
        self._told.add(pod["metadata"]["uid"])
        if death.cause is not None:
            self.injected[training_of(pod)][death.cause] += 1
        await self.ground.tell(pod, deaths.status(pod, death))

    def _fate(self, pod: Obj) -> _Fate:
        job = pod["metadata"]["ownerReferences"][0]["uid"]
        if job not in self._fates:
            self._fates[job] = self._draw(training_of(pod))
        return self._fates[job]

    def _draw(self, training: str) -> _Fate:
        lives = self.dice.uniform(1, 20)
        if self.dice.random() < 0.5:
            return _Fate(lives)
        death = deaths.any_of(self.dice)
        if death is deaths.GPU_FAILED and self.injected[training][Cause.HARDWARE] >= _MOST_BROKEN_GPUS:
            death = deaths.PEER_LOST
        victim, dies = str(self.dice.randint(0, 2)), self.dice.uniform(0, lives)
        return _Fate(lives, victim, death, dies, pulls_down=self.dice.random() < 0.5)


def _index(pod: Obj) -> str:
    return annotations(pod).get("batch.kubernetes.io/job-completion-index", "0")


def _success(pod: Obj) -> Death:
    return deaths.PACKAGED if labels(pod).get(STAGE) == "package" else deaths.SUCCESS
