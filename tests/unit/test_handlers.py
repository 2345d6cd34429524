"""What the operator relies on inside Kopf is still there, and what it makes of the events."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from kopf._cogs.clients import watching
from kopf._core.reactor import orchestration, queueing
from tests.builders import a_deployment, a_node, a_training
from tests.builders.objects import Obj

from lamplighter import handlers
from lamplighter.__main__ import new_index
from lamplighter.engine.queue import KeyedQueue


def test_kopf_still_starts_its_watchers_through_the_name_that_is_replaced() -> None:
    source = inspect.getsource(orchestration.spawn_missing_watchers)
    assert "queueing.watcher(" in source
    assert orchestration.queueing is queueing


def test_kopfs_stream_still_takes_what_it_is_given_and_marks_the_end_of_a_listing() -> None:
    parameters = inspect.signature(watching.infinite_watch).parameters
    assert {"settings", "resource", "namespace", "operator_paused"} <= parameters.keys()
    assert "yield Bookmark.LISTED" in inspect.getsource(watching.continuous_watch)


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


def test_what_nobody_has_looked_at_yet_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = KeyedQueue()

    async def events(**_: object) -> AsyncIterator[Obj]:
        yield {"type": "ADDED", "object": a_deployment("follows").of("training").status(state="Ready").obj()}
        queue.done(await queue.get())
        yield {"type": "ADDED", "object": a_training("training").obj()}
        yield {"type": "ADDED", "object": a_node("no-namespace").obj()}
        yield {"type": "ADDED", "object": a_deployment("new").obj()}

    async def story() -> list[str]:
        watch = handlers.Watch(new_index(queue), queue)
        deployments: Any = SimpleNamespace(plural="modeldeployments")
        await watch._follow(resource=deployments, namespace=None, settings=None)
        return [(await queue.get()).name for _ in range(3)]

    monkeypatch.setattr(handlers, "infinite_watch", events)
    assert asyncio.run(story()) == ["training", "new", "follows"]
