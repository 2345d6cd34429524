"""One reconcile, the same for every kind: snapshot, plan, execute; and what happens after each way it can end."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from lamplighter.core.errors import TerminalError, TransientError
from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Plan, Snapshot
from lamplighter.core.view import View
from lamplighter.engine import metrics
from lamplighter.engine.api import Api, ApiError
from lamplighter.engine.execute import execute
from lamplighter.engine.index import Index
from lamplighter.engine.log import about
from lamplighter.engine.questions import Readers
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.resources import PRIMARY

REFUSED_AGAIN = 60.0
"""Seconds until something that the API server refused is tried again: a quota may have been raised meanwhile."""
MAX_STALE = 3
_KEEPS_FAILING = 6
"""Failures in a row, about twenty seconds of them, after which the status says so."""

log = logging.getLogger(__name__)


Seen = TypeVar("Seen", bound=View[Any, Any])
"""The view of a kind: a snapshot, parsed."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Seen]):
    """What the engine must know of a kind: how to parse it, what to read, what to do, and how to say what prevents it.

    ``view`` parses a snapshot, once in a reconcile. ``blocked`` makes the plan that reports an error, to be looked at
    again after these seconds. ``begins_first``: new objects all begin, with their first creates, before one of them is
    finished.
    """

    view: Callable[[Snapshot, datetime], Seen]
    reads: Callable[[Seen], list[Ref]]
    plan: Callable[[Seen], Plan]
    blocked: Callable[[Seen, TerminalError, float], Plan]
    begins_first: bool = False


def utc_now() -> datetime:
    """The moment that plans are made for."""
    return datetime.now(UTC)


class Reconciler:
    """Takes a key from what is to what should be, one step."""

    def __init__(
        self,
        api: Api,
        index: Index,
        kinds: Mapping[str, Kind[Any]],
        readers: Readers,
        identity: str = "lamplighter",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``readers`` answer the questions of plans that are no objects of the API, by their names."""
        self._api = api
        self._index = index
        self._kinds = kinds
        self._readers = readers
        self._identity = identity
        self._clock = clock

    async def reconcile(self, key: Key, new_ones_wait: Callable[[], bool] = lambda: False) -> float | None:
        """One reconcile. Returns the seconds after which to come back, or None.

        ``new_ones_wait``: asked when a new object of a kind that begins first has; True leaves the rest for later.

        Raises:
            TransientError: the snapshot was stale several times over.
            ApiError: the API server failed; try again later.
        """
        for _ in range(MAX_STALE):
            try:
                return await self._once(key, new_ones_wait)
            except TransientError as error:
                log.debug("planning again: %s", error)
                stale = error
        raise stale

    async def _once(self, key: Key, new_ones_wait: Callable[[], bool]) -> float | None:
        kind, now = self._kinds[key.kind], self._clock()
        snapshot = self._index.snapshot(key)
        if snapshot is None:
            return None
        view = kind.view(snapshot, now)
        wanted = kind.reads(view)
        if wanted:
            # What was read answers the questions of this snapshot, so the plan is made from it, not from a newer one.
            found = await asyncio.gather(*(self._read(target, snapshot) for target in wanted))
            related = zip(wanted, found, strict=True)
            snapshot = replace(snapshot, related={(at.kind, at.name): obj for at, obj in related if obj is not None})
            view = replace(view, snapshot=snapshot)
        plan = kind.plan(view)
        hurry = new_ones_wait if kind.begins_first and not snapshot.obj.get("status") else lambda: False
        try:
            if not await execute(plan, snapshot, self._api, self._index, self._identity, now, hurry):
                return 0.0
        except TerminalError as error:
            log.warning("blocked: %s", error, extra={"reason": error.reason})
            metrics.ERRORS.labels(key.kind, error.reason).inc()
            plan = kind.blocked(view, error, REFUSED_AGAIN)
            await execute(plan, snapshot, self._api, self._index, self._identity, now)
        return plan.requeue_after

    async def tell(self, key: Key, said: TerminalError) -> None:
        """Write into the status why the object is not reconciled, though the operator tries again and again."""
        snapshot, now = self._index.snapshot(key), self._clock()
        if snapshot is None:
            return
        try:
            kind = self._kinds[key.kind]
            plan = kind.blocked(kind.view(snapshot, now), said, REFUSED_AGAIN)
            await execute(plan, snapshot, self._api, self._index, self._identity, now)
        except (ApiError, TransientError, TerminalError) as failed:
            log.info("the status could not be written: %s", failed)
        except Exception:
            log.exception("a bug in Lamplighter, please report it")

    async def _read(self, target: Ref, snapshot: Snapshot) -> Obj | None:
        if target.kind in PRIMARY:
            return self._index.get(Key(target.kind, target.namespace, target.name))
        reader = self._readers.get(target.kind)
        return await (self._api.get(target) if reader is None else reader(target, snapshot))


async def work(queue: KeyedQueue, reconciler: Reconciler) -> None:
    """A worker: takes a key, reconciles it, puts it back when it has to be looked at again, and takes the next."""
    while True:
        key = await queue.get()
        try:
            with about(key), metrics.RECONCILE.labels(key.kind).time():
                await _attempt(key, queue, reconciler)
        finally:
            queue.done(key)


async def _attempt(key: Key, queue: KeyedQueue, reconciler: Reconciler) -> None:
    try:
        again = await reconciler.reconcile(key, lambda: queue.new_ones_wait)
    except asyncio.CancelledError:
        raise
    except ApiError as error:
        metrics.ERRORS.labels(key.kind, error.reason or "Api").inc()
        delay = queue.retry(key, at_least=error.retry_after or 0.0)
        log.warning("the API server: %s; again in %.1f s", error, delay)
        if error.status >= 500 and queue.failures(key) >= _KEEPS_FAILING:
            why = f"the API server fails; the operator keeps trying: {error.message}"
            await reconciler.tell(key, TerminalError("ApiServerFails", why))
    except TransientError as error:
        metrics.ERRORS.labels(key.kind, "Transient").inc()
        log.info("%s; again in %.1f s", error, queue.retry(key))
    except Exception as error:
        metrics.ERRORS.labels(key.kind, "Bug").inc()
        log.exception("a bug in Lamplighter, please report it; again in %.1f s", queue.retry(key))
        if queue.failures(key) >= _KEEPS_FAILING:
            why = f"a bug in Lamplighter, please report it with the operator's log: {type(error).__name__}: {error}"
            await reconciler.tell(key, TerminalError("OperatorFails", why))
    else:
        queue.succeeded(key)
        if again is not None:
            queue.add_after(key, again)
