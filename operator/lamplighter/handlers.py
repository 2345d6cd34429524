"""The only file with Kopf decorators: events in, keys out.

Kopf logs in, lists, watches, reconnects and resumes. It writes nothing: there are no handlers that would need a
finalizer or an annotation. What Kopf would do with each event afterwards (a task per object, indexing, causes,
differences) took half of the operator's CPU and is of no use here, so its watcher is replaced by one that reads the
same stream. That is inside Kopf: pyproject.toml holds its minor version, tests/unit/test_handlers.py tells when it
moves.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Collection, Iterator
from typing import Any

import kopf
from kopf._cogs.clients.watching import Bookmark, infinite_watch
from kopf._cogs.structs.references import Namespace
from kopf._core.reactor import queueing

from lamplighter.core.naming import SELECTOR
from lamplighter.core.objects import Obj
from lamplighter.engine import metrics
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.resources import PRIMARY, RESOURCES, Resource

WATCHED = {entry.plural: entry for entry in RESOURCES.values() if entry.watched}
NODES = RESOURCES["Node"].plural

log = logging.getLogger(__name__)


class Watch:
    """Keeps the index and feeds the queue. ``complete`` is set when the index holds everything."""

    def __init__(
        self, index: Index, queue: KeyedQueue, namespaces: Collection[str] = (), *, nodes: bool = True
    ) -> None:
        """``namespaces``: where to watch; empty: in the whole cluster. ``nodes``: whether Nodes are watched, too."""
        self._watched = {plural: entry for plural, entry in WATCHED.items() if nodes or plural != NODES}
        self._index = index
        self._queue = queue
        self._namespaces = namespaces
        where: list[str | None] = [*namespaces] or [None]
        self._unlisted = {
            (entry.plural, namespace)
            for entry in self._watched.values()
            for namespace in (where if entry.namespaced else [None])
        }
        self._broken: BaseException | None = None
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()
        self.complete = asyncio.Event()

    async def run(self) -> None:
        """Watch until :meth:`stop`.

        Raises:
            Exception: a stream ended that should not; without it the index would go stale.
        """
        with self._in_place_of_kopfs_watcher():
            await kopf.operator(
                registry=_registry(self._watched.values()),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
                ready_flag=self.ready,
            )
        if self._broken is not None:
            raise self._broken

    def stop(self) -> None:
        """Have :meth:`run` end."""
        self._stop.set()

    async def _follow(self, *, resource: kopf.Resource, namespace: Namespace, settings: Any, **more: Any) -> None:
        """Read one stream for ever: every listing, then every change."""
        paused = more.get("operator_paused")
        stream = infinite_watch(settings=settings, resource=resource, namespace=namespace, operator_paused=paused)
        kind = WATCHED[resource.plural].kind
        count = metrics.EVENTS.labels(resource.plural).inc
        listed: set[tuple[str, str]] = set()
        try:
            async for event in stream:
                if event is Bookmark.LISTED:
                    self._add(self._index.sweep(kind, namespace, listed))
                    listed = set()
                    self._unlisted.discard((resource.plural, namespace))
                    if not self._unlisted:
                        self.complete.set()
                elif event["type"] == "DELETED":
                    count()
                    self._add(self._index.remove(dict(event["object"])))
                elif event["type"] != "BOOKMARK":
                    count()
                    obj: Obj = dict(event["object"])
                    if event["type"] is None:
                        listed.add((obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
                    keys = self._index.put(obj)
                    for key in keys:  # of those that an object concerns, only itself can be new
                        self._queue.add(key, new=not obj.get("status") and _is(key, obj))
        except Exception as error:
            log.exception("the watch of %s broke", resource.plural)
            self._broken = error
            self._stop.set()
            raise

    def _add(self, keys: Collection[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    @contextlib.contextmanager
    def _in_place_of_kopfs_watcher(self) -> Iterator[None]:
        original = queueing.watcher
        queueing.watcher = self._follow
        try:
            yield
        finally:
            queueing.watcher = original


def _is(key: Key, obj: Obj) -> bool:
    """Whether the key is that of the object, not only of one that it concerns."""
    return (key.kind, key.name) == (obj["kind"], obj["metadata"]["name"])


def _registry(watched: Collection[Resource]) -> kopf.OperatorRegistry:
    """Tells Kopf what to watch, and how to log in."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for entry in watched:
        kopf.on.event(entry.group, entry.version, entry.plural, registry=registry)(_unused)
    return registry


def _settings() -> kopf.OperatorSettings:
    """Kopf's settings: label selectors on the server's side, nothing posted, nothing scanned."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = 500
    for entry in WATCHED.values():
        if entry.namespaced and entry.kind not in PRIMARY:
            chosen.watching.label_selectors[entry.group, entry.version, entry.plural] = SELECTOR
    return chosen


async def _unused(**_: Any) -> None:
    """Events do not come this way."""


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    inside = kopf.login_with_service_account(**kwargs)
    if inside is None:
        return kopf.login_with_kubeconfig(**kwargs)
    # Kopf goes by the API server's name. By its address we work on while the cluster's DNS is down, as with lost Nodes.
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return inside
    address = f"[{host}]" if ":" in host else host
    return dataclasses.replace(inside, server=f"https://{address}:{port}")
