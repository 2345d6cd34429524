"""Everything that ever happened to the Jobs, pods and trainings of a namespace, as watches from the start told it."""

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.integration.engine.server import Server
from tests.integration.engine.watches import owner_name

from lamplighter.core import pods
from lamplighter.core.objects import Obj, condition, labels

KINDS = ("ModelTraining", "Job", "Pod")
_LABELS = ("run", "stage", "attempt")
_RUN = ("number", "state", "stage", "attempt", "restarts", "executions", "failures", "job", "notBefore")


class BrokenRecordError(Exception):
    """A watch could not go on where it was: nothing can be proved any more."""


@dataclass(frozen=True)
class Entry:
    """One event: seconds since the start, ADDED, MODIFIED or DELETED, of what, and what it said of itself."""

    at: float
    event: str
    kind: str
    name: str
    uid: str
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.at:8.2f} {self.event:8} {self.kind} {self.name} {self.uid[:8]} {json.dumps(self.said)}"


class Record:
    """The events by training, in the order in which each kind's watch told them, and what exists now."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.stories: defaultdict[str, list[Entry]] = defaultdict(list)
        self._now: dict[tuple[str, str], Obj] = {}
        self.last_change = self._begun
        """Moment (monotonic) of the newest event."""

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, server: Server, namespace: str) -> AsyncIterator[Self]:
        """A record while inside; a watch that cannot go on ends the inside with BrokenRecordError."""
        record = cls()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(record._follow(server, namespace, kind)) for kind in KINDS]
            yield record
            for task in tasks:
                task.cancel()

    def tell(self, event: str, obj: Obj) -> None:
        """Write an event down."""
        self.last_change = time.monotonic()
        meta, kind = obj["metadata"], obj["kind"]
        place = (kind, meta["name"])
        if event == "DELETED":
            self._now.pop(place, None)
        else:
            self._now[place] = obj
        entry = Entry(
            round(self.last_change - self._begun, 3), event, kind, meta["name"], meta["uid"], _SAID[kind](obj)
        )
        self.stories[owner_name(obj)].append(entry)

    def all(self, kind: str) -> list[Obj]:
        """The objects of a kind that exist now."""
        return [obj for (known, _), obj in self._now.items() if known == kind]

    def get(self, kind: str, name: str) -> Obj | None:
        """An object as it is now."""
        return self._now.get((kind, name))

    def story(self, name: str, limit: int = 200) -> str:
        """What happened to one training, for people; the last ``limit`` lines."""
        lines = [str(entry) for entry in self.stories.get(name, ())]
        left_out = [f"... {len(lines) - limit} lines before"] if len(lines) > limit else []
        return "\n".join([f"the record of {name}:", *left_out, *lines[-limit:]])

    def save(self, path: Path) -> None:
        """Write everything as lines of JSON."""
        entries = sorted((entry for story in self.stories.values() for entry in story), key=lambda entry: entry.at)
        path.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries))

    async def _follow(self, server: Server, namespace: str, kind: str) -> None:
        items, since = await server.list(kind, namespace)
        if items:
            raise BrokenRecordError(f"there were {kind}s before the record began")
        while True:
            async for event in server.watch(kind, namespace, since, allowWatchBookmarks="true"):
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise BrokenRecordError(f"the watch of {kind}s broke: {obj.get('message')}")
                since = obj["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.tell(event["type"], obj)


def _training(obj: Obj) -> dict[str, Any]:
    status = obj.get("status", {})
    run = status.get("run") or {}
    said = {key: run[key] for key in _RUN if key in run}
    if "failure" in run:
        said["failure"] = {key: run["failure"].get(key) for key in ("reason", "cause", "message")}
    return {"state": status.get("state"), "suspend": obj["spec"].get("suspend", False), "run": said}


def _job(obj: Obj) -> dict[str, Any]:
    status = obj.get("status", {})
    counts = {key: status[key] for key in ("active", "succeeded", "failed", "terminating") if status.get(key)}
    true = [entry["type"] for entry in status.get("conditions") or () if entry["status"] == "True"]
    return _marks(obj) | counts | {"conditions": true, "suspend": bool(obj["spec"].get("suspend"))}


def _pod(obj: Obj) -> dict[str, Any]:
    status = obj.get("status", {})
    said = _marks(obj) | {"phase": status.get("phase"), "node": obj["spec"].get("nodeName")}
    if obj["metadata"].get("deletionTimestamp"):
        said["deleted"] = obj["metadata"]["deletionTimestamp"]
    if disrupted := condition(obj, "DisruptionTarget"):
        said["disrupted"] = disrupted["reason"]
    ends = [end for container in pods.containers(obj) if (end := pods.terminated(container))]
    if ends:
        said["ended"] = [(end.get("exitCode"), end.get("reason"), (end.get("message") or "")[:80]) for end in ends]
    return said


def _marks(obj: Obj) -> dict[str, Any]:
    found = labels(obj)
    return {mark: found[f"lamplighter.dev/{mark}"] for mark in _LABELS if f"lamplighter.dev/{mark}" in found}


_SAID = {"ModelTraining": _training, "Job": _job, "Pod": _pod}


def jobs(story: list[Entry]) -> Iterator[Entry]:
    """The events of a training's Jobs."""
    return (entry for entry in story if entry.kind == "Job")


def runs(story: list[Entry]) -> Iterator[Entry]:
    """What the training's status said of its run, each time that it said something."""
    return (entry for entry in story if entry.kind == "ModelTraining" and entry.said["run"])
