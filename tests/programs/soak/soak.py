"""One soak from the first training to the verdict."""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import tools
from tests.integration.control_plane import control_plane
from tests.integration.engine import server
from tests.programs.soak import verdicts
from tests.programs.soak.ground import Ground
from tests.programs.soak.kubelet import Kubelet
from tests.programs.soak.population import CLAIM, Member, population
from tests.programs.soak.record import Record
from tests.programs.soak.replicas import Replicas
from tests.programs.soak.storm import Storm

from lamplighter.core.objects import Obj

NAMESPACE = "soak"
FOLDER = tools.STATE / "soak"
_STORM = 0.75
"""The part of the time in which things go wrong; then everything may finish."""
_PATIENCE = 300.0
"""Seconds beyond the given ones until what has not finished never will."""
_HARMS_PER_TRAINING = 4
_STAYS = 5.0
"""Seconds for which nothing must happen any more in the end."""


@dataclass(frozen=True)
class Soak:
    """``seconds`` from the first training until all should have ended; about a quarter of it is calm."""

    seconds: float
    trainings: int
    seed: int

    async def run(self) -> list[str]:
        """What is wrong, each with the story of the object; none: all is well."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        with control_plane("soak") as cluster:
            await asyncio.to_thread(cluster.install)
            with Replicas.of(cluster.kubeconfig, NAMESPACE, FOLDER, self._dice("operators")) as replicas:
                async with server.connect(cluster.kubeconfig, Ground) as ground:
                    await _prepare(ground)
                    async with Record.of(ground, NAMESPACE) as record:
                        return await self._live_through(ground, record, replicas)

    async def _live_through(self, ground: Ground, record: Record, replicas: Replicas) -> list[str]:
        members = population(self._dice("trainings"), self.trainings)
        kubelet = Kubelet(ground, record, self._dice("kubelet"))
        lasts = self.seconds * _STORM
        storm = Storm(ground, record, kubelet, self._dice("storm"), lasts / (self.trainings * _HARMS_PER_TRAINING))
        async with _always(kubelet.run, replicas.live):
            async with asyncio.TaskGroup() as outages:
                users = [outages.create_task(_use(ground, member, lasts)) for member in members]
                async with _always(lambda: storm.rage(outages), lambda: replicas.suffer(outages)):
                    await self._wait(lasts, lambda: self._progress("storm", record))
                for user in users:
                    user.cancel()
            kubelet.calm = True
            for member in members:
                await ground.send("PATCH", _path(member.name), {"spec": {"suspend": False}}, _MERGE)
            await self._finish(ground, record)
        self._progress("end", record)
        record.save(FOLDER / "record.jsonl")
        _say(f"{replicas.kills} SIGKILLs, {replicas.ends} ends by itself, {dict(storm.done)}")
        _say(f"{verdicts.summary(record.stories)}")
        return self._judge(members, record, kubelet, replicas)

    async def _finish(self, ground: Ground, record: Record) -> None:
        """Wait until everything has ended and nothing has happened for a while, or patience ends."""
        until = time.monotonic() + self.seconds * (1 - _STORM) + _PATIENCE

        async def settled() -> bool:
            quiet = time.monotonic() - record.last_change > _STAYS
            return quiet and _all_ended(record) and await ground.all_nodes_ready()

        while time.monotonic() < until and not await settled():
            await asyncio.sleep(1)
            if int(time.monotonic()) % 15 == 0:
                self._progress("calm", record)

    def _judge(self, members: list[Member], record: Record, kubelet: Kubelet, replicas: Replicas) -> list[str]:
        wrong = [f"the operator's log holds an error that nobody foresaw: {line}" for line in replicas.bugs()]
        for member in members:
            complaints = verdicts.of_training(member.obj, record.stories[member.name], kubelet.injected[member.name])
            if complaints:
                said = "\n".join(f"{member.name}: {complaint}" for complaint in complaints)
                wrong.append(f"{said}\nspec: {member.obj['spec']}\n{record.story(member.name)}")
        return wrong

    async def _wait(self, seconds: float, tell: Callable[[], None]) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 15))
            tell()

    def _progress(self, phase: str, record: Record) -> None:
        trainings = record.all("ModelTraining")
        ended = sum(_ended(training) for training in trainings)
        pods = len(record.all("Pod"))
        _say(f"{phase}: {ended} of {len(trainings)} trainings have ended, {pods} pods, load {os.getloadavg()[0]:.1f}")

    def _dice(self, whose: str) -> random.Random:
        return random.Random(f"{self.seed} {whose}")


_MERGE = "application/merge-patch+json"


async def _prepare(ground: Ground) -> None:
    await ground.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    await ground.send(
        "POST", f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims", {"metadata": {"name": CLAIM}, "spec": spec}
    )


async def _use(ground: Ground, member: Member, lasts: float) -> None:
    """The user of one training: creates it, holds it and lets it go, makes it wider and narrower."""
    await asyncio.sleep(member.comes * lasts)
    await ground.send("POST", _path(), member.obj)
    held = bool(member.obj["spec"].get("suspend"))
    for pause in member.turns:
        await asyncio.sleep(pause)
        held = not held
        await ground.send("PATCH", _path(member.name), {"spec": {"suspend": held}}, _MERGE)
    for nodes in member.widths:
        await asyncio.sleep(5)
        await ground.send("PATCH", _path(member.name), {"spec": {"nodes": nodes}}, _MERGE)


@contextlib.asynccontextmanager
async def _always(*actors: Callable[[], Awaitable[Any]]) -> Any:
    """Actors that act while inside; one that breaks ends the inside."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_acting(actor)) for actor in actors]
        yield
        for task in tasks:
            task.cancel()


async def _acting(actor: Callable[[], Awaitable[Any]]) -> None:
    await actor()


def _ended(training: Obj) -> bool:
    return (training.get("status", {}).get("run") or {}).get("state") in verdicts.FINAL


def _all_ended(record: Record) -> bool:
    pods_left = [pod for pod in record.all("Pod") if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    return all(_ended(training) for training in record.all("ModelTraining")) and not pods_left


def _path(name: str | None = None) -> str:
    everything = f"/apis/lamplighter.dev/v1alpha1/namespaces/{NAMESPACE}/modeltrainings"
    return f"{everything}/{name}" if name else everything


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def save(wrong: list[str], path: Path) -> None:
    """Keep the verdict beside the record."""
    path.write_text("\n\n".join(wrong) or "all is well")
