"""The only file with Kopf decorators: events in, keys out.

Kopf logs in, lists, watches and resumes. It writes nothing: there are no handlers that would need a finalizer or an
annotation, and its stores of progress and of last-seen states are switched off.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

import kopf
from kopf._cogs.structs.bodies import Body, BodyEssence

from lamplighter.core.naming import SELECTOR
from lamplighter.engine import metrics
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.resources import PRIMARY, RESOURCES, Resource


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps no last-seen state: nothing here reacts to differences, and copying every object costs CPU."""

    def build(self, *, body: Body, extra_fields: Iterable[Any] | None = None) -> BodyEssence:  # noqa: ARG002
        return BodyEssence()

    def fetch(self, *, body: Body) -> BodyEssence | None:  # noqa: ARG002
        return None

    def store(self, **_: Any) -> None:
        return


def watch(index: Index, queue: KeyedQueue, complete: asyncio.Event) -> kopf.OperatorRegistry:
    """Handlers that keep the index and feed the queue; ``complete`` is set when the index holds everything."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for resource in RESOURCES.values():
        if resource.watched:
            _watch_one(resource, registry, index, queue, complete)
    return registry


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: label selectors on the server's side, nothing written, nothing scanned."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.posting.loggers = False
    chosen.scanning.disabled = True
    chosen.persistence.diffbase_storage = _NoDiffs()
    chosen.persistence.progress_storage = kopf.StatusProgressStorage(field="status.unused")
    chosen.persistence.finalizer = "lamplighter.dev/unused"
    chosen.queueing.idle_timeout = 0.5
    chosen.watching.chunk_size = 500
    for resource in RESOURCES.values():
        if resource.watched and resource.kind not in PRIMARY:
            chosen.watching.label_selectors[resource.group, resource.version, resource.plural] = SELECTOR
    return chosen


async def run(
    registry: kopf.OperatorRegistry, namespaces: Collection[str], stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Run Kopf until ``stop``."""
    await kopf.operator(
        registry=registry,
        settings=settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )


def _watch_one(
    resource: Resource, registry: kopf.OperatorRegistry, index: Index, queue: KeyedQueue, complete: asyncio.Event
) -> None:
    place = (resource.group, resource.version, resource.plural)
    count = metrics.EVENTS.labels(resource.plural).inc

    async def known(*, body: kopf.Body, **_: Any) -> None:
        count()
        _add(queue, index.put(dict(body)))

    def matters(*, event: kopf.RawEvent, **_: Any) -> bool:
        return event["type"] == "DELETED" or not complete.is_set()

    async def seen(*, event: kopf.RawEvent, **_: Any) -> None:
        """Kopf calls this only after everything that existed at the start went through ``known``."""
        complete.set()
        if event["type"] == "DELETED":
            count()
            _add(queue, index.remove(dict(event["object"])))

    kopf.index(*place, id=f"known-{resource.plural}", registry=registry)(known)
    kopf.on.event(*place, id=f"seen-{resource.plural}", registry=registry, when=matters)(seen)


def _add(queue: KeyedQueue, keys: Iterable[Key]) -> None:
    for key in keys:
        queue.add(key)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
