"""The only file with Kopf decorators: events in, keys out.

What people write, ModelTrainings and ModelDeployments, comes from Kopf: it logs in, lists, watches and reconnects. It
writes nothing, since no handler here needs a finalizer or an annotation. What the operator itself creates, and Nodes,
make most of the events by far. They come from :mod:`lamplighter.informer`, because Kopf starts a task per object and
computes the differences of each event, which would take half of the operator's CPU time.

Kopf does not report that a listing is complete, and after a watch that it cannot resume it lists again without
reporting what was deleted meanwhile. So both kinds are listed here as well: once at the start, and again whenever there
is a sign that a watch could not be resumed. Each listing adds what the index lacks and removes what no longer exists.
"""

import asyncio
import dataclasses
import logging
import os
from collections.abc import Collection, Coroutine, Iterable
from typing import Any

import kopf

from lamplighter.api import GROUP, VERSION
from lamplighter.core.naming import SELECTOR
from lamplighter.core.objects import Obj
from lamplighter.engine import metrics
from lamplighter.engine.api import ApiError
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.resources import PRIMARY, RESOURCES, Resource
from lamplighter.informer import Informer, Listing, Patience, Source, list_all

WATCHED = {entry.plural: entry for entry in RESOURCES.values() if entry.watched}
NODES = RESOURCES["Node"].plural
_KOPF_RESUMES = 60.0
"""Seconds after which Kopf has resumed its watches, too: it waits up to 21 s between two tries."""
_COUNT = {entry.kind: metrics.EVENTS.labels(entry.plural).inc for entry in WATCHED.values()}

log = logging.getLogger(__name__)


class Watch:
    """Keeps the index and feeds the queue. ``complete`` is set when the index holds everything."""

    def __init__(
        self, source: Source, index: Index, queue: KeyedQueue, namespaces: Collection[str] = (), *, nodes: bool = True
    ) -> None:
        """``namespaces``: where to watch; empty: in the whole cluster. ``nodes``: whether Nodes are watched, too."""
        self._source = source
        self._index = index
        self._queue = queue
        self._namespaces = namespaces
        watched = [entry for entry in WATCHED.values() if nodes or entry.plural != NODES]
        self._streams = [(entry, namespace) for entry in watched for namespace in self._places(entry)]
        self._unlisted = {(entry.kind, namespace) for entry, namespace in self._streams}
        self._in_doubt = asyncio.Event()
        self._deleted: set[str] | None = None
        """The uids of what Kopf reports as deleted while a listing of ours is under way."""
        self._broken: BaseException | None = None
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()
        self.complete = asyncio.Event()

    async def run(self) -> None:
        """Watch until :meth:`stop`.

        Raises:
            Exception: a watch ended for good; without it the index would go stale.
        """
        self._in_doubt.set()
        children = [
            Informer(self._source, entry, namespace, self, selector=SELECTOR if entry.namespaced else "")
            for entry, namespace in self._streams
            if entry.kind not in PRIMARY
        ]
        # These tasks begin before Kopf does: in the end it cancels every task that began after it.
        endless = [*(informer.run() for informer in children), self._list_primaries()]
        tasks = [asyncio.create_task(self._guarded(each)) for each in endless]
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
                ready_flag=self.ready,
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._broken is not None:
            raise self._broken

    def stop(self) -> None:
        """Have :meth:`run` end."""
        self._stop.set()

    def put(self, obj: Obj) -> None:
        """Take an object that exists or has changed."""
        _COUNT[obj["kind"]]()
        for key in self._index.put(obj):  # of those that an object concerns, only itself can be new
            self._queue.add(key, new=not obj.get("status") and _is(key, obj))

    def remove(self, obj: Obj) -> None:
        """Take an object that was deleted."""
        _COUNT[obj["kind"]]()
        self._add(self._index.remove(obj))

    def listed(self, kind: str, namespace: str | None, listing: Listing) -> None:
        """Take note of a complete listing: what it lacks is gone."""
        bereft = self._index.sweep(kind, namespace, listing.places, listing.version)
        if bereft:
            whose = ", ".join(map(str, sorted(bereft)[:10]))
            log.info("%ss were deleted while their watch was interrupted; this concerns %s", kind, whose)
        self._add(bereft)
        if (kind, namespace) not in self._unlisted and kind not in PRIMARY:
            self._in_doubt.set()  # what interrupted this watch may have interrupted Kopf's
        self._unlisted.discard((kind, namespace))
        if not self._unlisted:
            self.complete.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)

        @kopf.on.event(GROUP, VERSION, "modeltrainings", registry=registry)
        @kopf.on.event(GROUP, VERSION, "modeldeployments", registry=registry)
        async def changed(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
            try:
                self.take(event, memo)
            except Exception as error:  # Kopf would log it and continue with an index that lacks this event
                self._break(error)
                raise

        return registry

    def take(self, event: kopf.RawEvent, memo: kopf.Memo) -> None:
        """Take an event of Kopf's. ``memo`` is what Kopf keeps for us about this object until it is deleted."""
        obj: Obj = dict(event["object"])
        if event["type"] == "DELETED":
            if self._deleted is not None:
                self._deleted.add(obj["metadata"]["uid"])
            self.remove(obj)
            return
        if event["type"] is None and memo.get("known"):
            self._in_doubt.set()  # Kopf has listed again
        memo["known"] = True
        self.put(obj)

    async def _list_primaries(self) -> None:
        """List what people write, whenever it is in doubt that Kopf has reported all of it.

        And once more a while later: Kopf may resume its own watch after our listing, and not report what was deleted
        in between.
        """
        patience, once_more = Patience(), False
        while True:
            try:
                async with asyncio.timeout(_KOPF_RESUMES if once_more else None):
                    await self._in_doubt.wait()
                once_more = True
            except TimeoutError:
                once_more = False
            try:
                await self._list_once()
                patience.works()
            except ApiError as error:
                self._in_doubt.set()
                await asyncio.sleep(patience.wait("ModelTrainings and ModelDeployments", error))

    async def _list_once(self) -> None:
        self._in_doubt.clear()
        self._deleted = set()
        try:
            for entry, namespace in self._streams:
                if entry.kind in PRIMARY:
                    listing = await list_all(self._source, entry, namespace, "", self._put_unless_deleted)
                    self.listed(entry.kind, namespace, listing)
        finally:
            self._deleted = None

    def _put_unless_deleted(self, obj: Obj) -> None:
        """Kopf's events overtake our listing: what was deleted since it was made must not come back."""
        if self._deleted is None or obj["metadata"]["uid"] not in self._deleted:
            self.put(obj)

    async def _guarded(self, endless: Coroutine[Any, Any, None]) -> None:
        try:
            await endless
        except Exception as error:
            log.exception("a watch broke")
            self._break(error)

    def _break(self, error: BaseException) -> None:
        self._broken = error
        self._stop.set()

    def _places(self, entry: Resource) -> Iterable[str | None]:
        return self._namespaces or [None] if entry.namespaced else [None]

    def _add(self, keys: Collection[Key]) -> None:
        for key in keys:
            self._queue.add(key)


class _NoDifferences(kopf.DiffBaseStorage):
    """Has Kopf compare nothing: it would copy each object twice per event for handlers of changes, and none is here."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        pass


def _is(key: Key, obj: Obj) -> bool:
    """Whether the key is that of the object, not only of one that it concerns."""
    return (key.kind, key.name) == (obj["kind"], obj["metadata"]["name"])


def _settings() -> kopf.OperatorSettings:
    """Kopf's settings: nothing is posted, no other kinds are looked for."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = 500
    chosen.persistence.diffbase_storage = _NoDifferences()
    return chosen


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    inside = kopf.login_with_service_account(**kwargs)
    if inside is None:
        return kopf.login_with_kubeconfig(**kwargs)
    # Kopf uses the API server's name. By its address we keep working when the cluster's DNS fails, as with lost Nodes.
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return inside
    address = f"[{host}]" if ":" in host else host
    return dataclasses.replace(inside, server=f"https://{address}:{port}")
