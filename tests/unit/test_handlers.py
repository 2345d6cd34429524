"""What becomes of Kopf's events, and of the listings that make up for what Kopf does not report."""

import ast
import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import kopf
import pytest
from tests.builders import a_deployment, a_node, a_training
from tests.builders.objects import Obj
from tests.unit.engine.quick import run

from lamplighter import handlers
from lamplighter.__main__ import new_index
from lamplighter.engine.api import ApiError
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.informer import Patience

DIGITS = Key("ModelTraining", "team", "digits")


class Cluster:
    """Lists the trainings that it has; ``meanwhile`` is called in the midst of a listing."""

    def __init__(self, *trainings: Obj) -> None:
        self.trainings = list(trainings)
        self.version = 1
        self.meanwhile: Any = lambda: None

    async def pages(self, kind: str, *_: object) -> AsyncGenerator[Obj, None]:
        items = self.trainings if kind == "ModelTraining" else []
        page = {"apiVersion": "x", "metadata": {"resourceVersion": str(self.version)}, "items": list(items)}
        self.meanwhile()
        yield page

    async def watch(self, *_: object) -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""


class Scene:
    """A watch of a cluster, into which tests put Kopf's events."""

    def __init__(self, *trainings: Obj) -> None:
        self.cluster = Cluster(*trainings)
        self.queue = KeyedQueue()
        self.index = new_index(self.queue)
        self.watch = handlers.Watch(self.cluster, self.index, self.queue)
        self._memos: dict[str, kopf.Memo] = {}

    def kopf_reports(self, kind: str | None, obj: Obj) -> None:
        """Kopf calls the handler."""
        memo = self._memos.setdefault(obj["metadata"]["uid"], kopf.Memo())
        self.watch.take({"type": kind, "object": obj}, memo)  # type: ignore[typeddict-item]


def version(obj: Obj, number: int, uid: str = "") -> Obj:
    """The object as it is stored."""
    meta = obj["metadata"] | {"resourceVersion": str(number)} | ({"uid": uid} if uid else {})
    return {**obj, "metadata": meta}


def test_nothing_of_kopf_is_used_that_is_private() -> None:
    files = Path(handlers.__file__).parent.rglob("*.py")
    trees = [(path.name, node) for path in files for node in ast.walk(ast.parse(path.read_text()))]
    imported = [(name, node.module or "") for name, node in trees if isinstance(node, ast.ImportFrom)]
    imported += [(name, each.name) for name, node in trees if isinstance(node, ast.Import) for each in node.names]
    assert [(name, module) for name, module in imported if module.split(".")[0] == "kopf"] == [("handlers.py", "kopf")]
    uses = [node for _, node in trees if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "kopf"]
    assert [node.attr for node in uses if node.attr.startswith("_")] == []
    assert len(uses) > 5


def test_nothing_is_watched_but_what_the_table_says() -> None:
    assert "secrets" not in handlers.WATCHED
    assert set(handlers.WATCHED) == {
        "configmaps",
        "controllerrevisions",
        "deployments",
        "jobs",
        "modeldeployments",
        "modeltrainings",
        "networkpolicies",
        "nodes",
        "persistentvolumeclaims",
        "poddisruptionbudgets",
        "pods",
        "services",
    }


async def test_what_nobody_has_looked_at_yet_comes_first() -> None:
    scene = Scene()
    scene.kopf_reports("ADDED", a_deployment("follows").of("training").status(state="Ready").obj())
    scene.queue.done(await scene.queue.get())
    scene.kopf_reports("ADDED", a_training("training").obj())
    scene.watch.put(a_node("no-namespace").obj())
    scene.kopf_reports("ADDED", a_deployment("new").obj())
    assert [(await scene.queue.get()).name for _ in range(3)] == ["training", "new", "follows"]


async def test_what_kopf_reports_as_deleted_is_forgotten() -> None:
    scene = Scene()
    scene.kopf_reports(None, a_training().obj())
    scene.kopf_reports("DELETED", a_training().obj())
    assert scene.index.get(DIGITS) is None


async def test_a_second_listing_of_kopfs_puts_in_doubt_what_was_deleted_before_it() -> None:
    old, kept = version(a_training().obj(), 1, "old"), version(a_training("kept").obj(), 2, "kept")
    scene = Scene(old, kept)
    for obj in (old, kept):
        scene.kopf_reports(None, obj)
    assert not scene.watch._in_doubt.is_set()  # the first listing is Kopf's own start
    scene.cluster.trainings, scene.cluster.version = [kept], 5
    scene.kopf_reports(None, kept)
    assert scene.watch._in_doubt.is_set()
    await scene.watch._list_once()
    assert list(scene.index.keys()) == [Key("ModelTraining", "team", "kept")]
    assert [(await scene.queue.get()).name for _ in range(2)] == ["digits", "kept"]


async def test_what_is_created_during_a_listing_stays() -> None:
    scene = Scene()
    scene.cluster.meanwhile = lambda: scene.kopf_reports("ADDED", version(a_training().obj(), 2))
    await scene.watch._list_once()
    assert scene.index.get(DIGITS) is not None


async def test_what_is_deleted_during_a_listing_does_not_come_back() -> None:
    digits = version(a_training().obj(), 1)
    scene = Scene(digits)
    scene.kopf_reports(None, digits)
    scene.cluster.meanwhile = lambda: scene.kopf_reports("DELETED", version(digits, 2))
    await scene.watch._list_once()
    assert scene.index.get(DIGITS) is None


async def test_a_listing_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "Patience", lambda: Patience(first=0.001))
    scene = Scene(version(a_training().obj(), 1))
    errors = [ApiError(503, "ServiceUnavailable", "not now")]

    def fail_once() -> None:
        if errors:
            raise errors.pop()

    scene.cluster.meanwhile = fail_once
    scene.watch._in_doubt.set()
    lists = asyncio.create_task(scene.watch._list_primaries())
    assert await scene.queue.get() == DIGITS
    lists.cancel()


def test_what_is_deleted_after_our_listing_and_before_kopf_resumes_is_forgotten_a_while_later() -> None:
    """The last object of a kind leaves no sign: Kopf's next listing names nothing that it knew."""

    async def story() -> tuple[bool, bool]:
        scene = Scene(version(a_training().obj(), 1))
        scene.watch._in_doubt.set()
        listing = asyncio.create_task(scene.watch._list_primaries())
        await asyncio.sleep(1)
        known = scene.index.get(DIGITS) is not None
        scene.cluster.trainings, scene.cluster.version = [], 5
        await asyncio.sleep(2 * handlers._KOPF_RESUMES)
        listing.cancel()
        return known, scene.index.get(DIGITS) is not None

    assert run(story()) == (True, False)
