"""List and watch: reports the objects of one kind, and every change to them, through all that can interrupt a watch.

A complete listing comes first, then a watch from the listing's resource version. A watch that ends is resumed from the
newest version seen; bookmarks keep that version young on quiet kinds. When the API server no longer has the history
since then (410 Gone), the next step is a new listing. The receiver learns what each complete listing contained, because
objects that were deleted during an interruption are in no event.

The client's ``kubernetes.informer`` does not fit: it runs a thread per kind, builds typed models (for a Pod eighteen
times the CPU time of what is done here), lists without pages, asks for no bookmarks and retries without backoff.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import orjson

from lamplighter.core.objects import Obj
from lamplighter.engine.api import ApiError
from lamplighter.engine.resources import Resource

_LONGEST_EVENT = 2**25
"""Bytes. An object is at most some 3 MiB; what is longer is no watch event."""
_SERVER_TIMEOUT = (300, 600)
"""Seconds after which the API server ends a watch; drawn for each, so that not all are renewed at once."""
_AGAIN = 0.1
"""Seconds between a watch that ended as agreed and the next one."""
_GONE = 410
_UNREADABLE = "Unreadable"

log = logging.getLogger(__name__)
_jitter = random.Random()  # noqa: S311 (no secret)


class Source(Protocol):
    """The API server: see :class:`lamplighter.kube.Client`."""

    def pages(
        self, kind: str, namespace: str | None, query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Obj, None]:
        """The pages of a listing."""

    def watch(self, kind: str, namespace: str | None, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The bytes of a watch."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a complete listing contained: the version that it was made at, and (namespace, name) of each object."""

    version: str
    places: set[tuple[str, str]]


class Receiver(Protocol):
    """Takes everything that an :class:`Informer` learns, in order."""

    def put(self, obj: Obj) -> None:
        """An object exists, or has changed."""

    def remove(self, obj: Obj) -> None:
        """An object was deleted."""

    def listed(self, kind: str, namespace: str | None, listing: Listing) -> None:
        """A listing is complete; each of its objects has been put."""


@dataclass
class Patience:
    """How long to wait before the next try, and when to give up. Delays are seconds."""

    first: float = 0.5
    longest: float = 10.0
    refusals: int = 18
    """That many refusals in a row, one to two minutes, are final: a renewed token is in use after one."""
    _failures: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)
    _works: bool = field(default=False, init=False)

    def works(self) -> None:
        """Note that an answer came as it should: the failures before it no longer count."""
        self._failures, self._refused, self._works = 0, 0, True

    def wait(self, what: str, error: ApiError | None) -> float:
        """Seconds to wait after an attempt at ``what`` that ended with this error, or just ended.

        Raises:
            ApiError: ``error``, when the API server has refused too often.
        """
        worked, self._works = self._works, False
        if worked and (error is None or error.status == _GONE):
            return _AGAIN
        self._failures += 1
        delay = min(self.first * 2.0 ** min(self._failures - 1, 30), self.longest) * _jitter.uniform(0.5, 1.0)
        if error is None:
            return delay
        delay = max(delay, error.retry_after or 0.0)
        self._refused = self._refused + 1 if _is_refusal(error) else 0
        if self._refused >= self.refusals:
            raise error
        if self._refused:
            hint = " Do the RBAC rules allow it?" if error.status == 403 else ""
            log.error("cannot watch %s: %s.%s Next try in %.1f s", what, error, hint, delay)
        else:  # an outage interrupts every watch and lasts for many tries: not each is worth a line
            level = logging.WARNING if self._failures % 10 == 1 else logging.DEBUG
            log.log(level, "the watch of %s was interrupted: %s; next try in %.1f s", what, error, delay)
        return delay


async def list_all(
    source: Source, resource: Resource, namespace: str | None, selector: str, put: Callable[[Obj], None]
) -> Listing:
    """List a kind in a namespace (None: in the whole cluster) and put each object as its page arrives.

    Raises:
        ApiError: the listing is incomplete.
    """
    listing = Listing("", set())
    async with contextlib.aclosing(source.pages(resource.kind, namespace, _labels(selector))) as pages:
        async for page in pages:
            listing = Listing(page["metadata"]["resourceVersion"], listing.places)
            marks = {"apiVersion": page["apiVersion"], "kind": resource.kind}  # items come without
            for item in page["items"]:
                meta = item["metadata"]
                listing.places.add((meta.get("namespace", ""), meta["name"]))
                put(marks | item)
    return listing


class Informer:
    """Reports one kind in one namespace, or in the whole cluster."""

    def __init__(
        self,
        source: Source,
        resource: Resource,
        namespace: str | None,
        receiver: Receiver,
        *,
        selector: str = "",
        patience: Patience | None = None,
    ) -> None:
        """``selector``: of labels; the API server applies it."""
        self._source = source
        self._resource = resource
        self._namespace = namespace
        self._receiver = receiver
        self._selector = selector
        self._patience = patience or Patience()
        self._version: str | None = None
        """Where to resume; None: with a listing."""

    async def run(self) -> NoReturn:
        """List and watch without end.

        Raises:
            ApiError: the API server has refused too often; what the receiver knows would go stale.
        """
        what = self._resource.plural + (f" in {self._namespace}" if self._namespace else "")
        while True:
            failure: ApiError | None = None
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except ApiError as error:
                failure = error
                if error.status == _GONE:
                    log.info("the history of %s since their last event is gone: listing them again", what)
                if not _can_resume(error):
                    self._version = None
            await asyncio.sleep(self._patience.wait(what, failure))

    async def _list(self) -> None:
        listing = await list_all(self._source, self._resource, self._namespace, self._selector, self._receiver.put)
        self._receiver.listed(self._resource.kind, self._namespace, listing)
        self._version = listing.version

    async def _watch(self) -> None:
        query = {
            **_labels(self._selector),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(_jitter.randint(*_SERVER_TIMEOUT)),
        }
        async with contextlib.aclosing(self._source.watch(self._resource.kind, self._namespace, query)) as pieces:
            pending = bytearray()
            async for piece in pieces:
                pending += piece
                if b"\n" in piece:
                    *lines, rest = pending.split(b"\n")
                    pending = rest
                    for line in lines:
                        self._take(line)
                elif len(pending) > _LONGEST_EVENT:
                    raise ApiError(0, _UNREADABLE, f"an event of more than {_LONGEST_EVENT} bytes")

    def _take(self, line: bytearray) -> None:
        try:
            event = orjson.loads(line)
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                raise ApiError(obj.get("code") or 500, obj.get("reason") or "", obj.get("message") or "")
            version: str = obj["metadata"]["resourceVersion"]
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError(0, _UNREADABLE, f"a watch event cannot be read: {error!r}") from error
        self._patience.works()
        if kind == "DELETED":
            self._receiver.remove(obj)
        elif kind != "BOOKMARK":
            self._receiver.put(obj)
        self._version = version


def _labels(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _can_resume(error: ApiError) -> bool:
    """Whether a watch that ended like this can resume from where it was: the connection or the server failed."""
    return error.reason != _UNREADABLE and (error.status in (0, 408, 429) or error.status >= 500)


def _is_refusal(error: ApiError) -> bool:
    """Whether the answer will be the same for as long as nobody changes something."""
    return not _can_resume(error) and error.status != _GONE
