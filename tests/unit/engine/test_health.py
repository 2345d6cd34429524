"""Alive means that the engine makes progress and that the watches tell."""

import asyncio
import socket
from collections.abc import Iterable

import aiohttp
from tests.builders import a_training
from tests.unit.engine.quick import run

from lamplighter.engine import metrics
from lamplighter.engine.health import Health, resync
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue

KEY = Key("ModelTraining", "team", "digits")


class Lister:
    """What the API server knows: a generation of the training, or an error."""

    def __init__(self, *generations: int | Exception) -> None:
        self._generations = list(generations)

    async def generations(self, kind: str) -> Iterable[tuple[Key, int]]:
        """Key and generation of every object of a kind."""
        known = self._generations.pop(0) if len(self._generations) > 1 else self._generations[0]
        if isinstance(known, Exception):
            raise known
        return [(Key(kind, "team", "digits"), known)]


def after_resyncs(rounds: int, *generations: int | Exception, known: int | None = 1) -> tuple[Health, KeyedQueue]:
    """Health and queue after some rounds; the index knows the generation ``known``."""

    async def story() -> tuple[Health, KeyedQueue]:
        index, queue = Index(), KeyedQueue()
        if known is not None:
            index.put(a_training("digits").meta(generation=known).obj())
        health = Health(queue, 180)
        task = asyncio.create_task(resync(600, Lister(*generations), ["ModelTraining"], index, queue, health))
        await asyncio.sleep(600 * rounds + 1)
        assert not task.done()
        task.cancel()
        return health, queue

    return run(story())


def test_a_resync_has_every_object_looked_at() -> None:
    assert len(after_resyncs(1, 1)[1]) == 1


def test_a_watch_that_is_behind_twice_makes_the_process_ill() -> None:
    health, _ = after_resyncs(2, 5, 5)
    assert health.stale_watches == [KEY]


def test_a_watch_that_is_behind_once_may_only_be_slow() -> None:
    assert after_resyncs(1, 5)[0].stale_watches == []
    assert after_resyncs(3, 5, 1, 5)[0].stale_watches == []


def test_an_object_that_the_watch_never_delivered_makes_the_process_unhealthy() -> None:
    assert after_resyncs(2, 1, 1, known=None)[0].stale_watches == [KEY]


def test_a_watch_that_recovers_makes_the_process_well() -> None:
    assert after_resyncs(3, 5, 5, 1)[0].stale_watches == []


def test_a_resync_that_cannot_list_continues_and_judges_nothing() -> None:
    health, queue = after_resyncs(3, OSError("no route"), OSError("no route"), 1)
    assert health.stale_watches == []
    assert len(queue) == 1


def test_a_resync_forgets_what_is_no_longer_listed() -> None:
    async def story() -> tuple[list[Key], Key]:
        index, queue = Index(), KeyedQueue()
        for name in ("digits", "gone"):
            index.put(a_training(name).obj())
        task = asyncio.create_task(resync(600, Lister(1), ["ModelTraining"], index, queue, Health(queue, 180)))
        await asyncio.sleep(601)
        task.cancel()
        await queue.get()
        return list(index.keys()), await queue.get()

    assert run(story()) == ([KEY], Key("ModelTraining", "team", "gone"))


def test_a_stuck_reconcile_makes_the_process_ill() -> None:
    async def story() -> tuple[str | None, str | None]:
        queue = KeyedQueue()
        health = Health(queue, stuck_after=180)
        queue.add(KEY)
        await queue.get()
        await asyncio.sleep(180)
        well = health.illness()
        await asyncio.sleep(1)
        return well, health.illness()

    assert run(story()) == (None, "an object has waited 181 s for its reconcile")


async def answer(health: Health, path: str) -> tuple[int, str]:
    """What a probe gets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}{path}"
    async with health.serve(port), aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def test_the_probe_fails_and_says_why_when_a_reconcile_is_stuck() -> None:
    status, text = await answer(Health(KeyedQueue(), stuck_after=-1), "/healthz")
    assert (status, text) == (503, "an object has waited 0 s for its reconcile")


async def test_the_probe_fails_and_says_why_when_a_watch_is_stale() -> None:
    health = Health(KeyedQueue(), 180)
    health.stale_watches = [KEY]
    status, text = await answer(health, "/healthz")
    assert status == 503
    assert text == "a watch has stopped: ModelTraining team/digits is newer on the API server than in memory"


async def test_a_process_that_is_well_says_so_and_is_ready_when_it_started() -> None:
    health = Health(KeyedQueue(), 180)
    assert await answer(health, "/healthz") == (200, "ok")
    assert (await answer(health, "/readyz"))[0] == 503
    health.started = True
    assert await answer(health, "/readyz") == (200, "ok")


async def test_metrics_tell_the_depth_of_the_queue() -> None:
    queue = KeyedQueue()
    queue.add(KEY)
    queue.add(Key("ModelTraining", "team", "letters"))
    _, text = await answer(Health(queue, 180), "/metrics")
    assert "lamplighter_queue_depth 2.0" in text
    for name in ("reconcile_seconds", "reconcile_errors_total", "api_requests_total", "leader", "watch_events_total"):
        assert f"# HELP lamplighter_{name}" in text


def test_no_metric_is_labelled_with_the_name_of_an_object() -> None:
    labels = {label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())}
    assert labels == {"kind", "reason", "verb", "resource", "code", "verdict", "result"}


async def test_the_page_of_the_trainings_is_empty_in_a_replica_that_does_not_lead() -> None:
    async def page() -> bytes:
        return b"lamplighter_training_step 1.0"

    health = Health(KeyedQueue(), 180)
    assert await answer(health, "/metrics/trainings") == (200, "")
    health.trainings = page
    assert await answer(health, "/metrics/trainings") == (200, "lamplighter_training_step 1.0")
