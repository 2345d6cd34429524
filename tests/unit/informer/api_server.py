"""A small API server that lists and watches the Pods of one namespace, and fails in the ways that real ones do."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

from aiohttp import web

Obj = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
PATH = "/api/v1/namespaces/team/pods"


class ApiServer:
    """Keeps pods by name, and the events since ``oldest``."""

    def __init__(self) -> None:
        self.version = 10
        self.oldest = 0
        self.lists: list[dict[str, str]] = []
        """The queries of all listings."""
        self.watches: list[dict[str, str]] = []
        """The queries of all watches."""
        self.list_faults: deque[Fault] = deque()
        """Each answers a request for a page in place of the server."""
        self.watch_faults: deque[Fault] = deque()
        """Each answers a watch in place of the server."""
        self.token = ""
        """Who does not send it is not known; empty: everybody is."""
        self.page_size = 500
        self.port = 0
        self._pods: dict[str, Obj] = {}
        self._events: list[Obj] = []
        self._news = asyncio.Condition()
        self._streams: dict[asyncio.Task[Any], web.Request] = {}
        self._runner: web.AppRunner

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """A server while inside."""
        server = cls()
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Break all connections, and listen no more."""
        self.break_connections()
        await self._runner.cleanup()

    @property
    def watched(self) -> bool:
        """True while a watch is open."""
        return bool(self._streams)

    async def put(self, name: str, **fields: Any) -> None:
        """Make or change a pod."""
        kind = "MODIFIED" if name in self._pods else "ADDED"
        self.version += 1
        meta = {"name": name, "namespace": "team", "resourceVersion": str(self.version)}
        self._pods[name] = {"metadata": meta, **fields}
        await self.tell(kind, {"apiVersion": "v1", "kind": "Pod", **self._pods[name]})

    async def delete(self, name: str) -> None:
        """Remove a pod."""
        self.version += 1
        pod = self._pods.pop(name)
        meta = pod["metadata"] | {"resourceVersion": str(self.version)}
        await self.tell("DELETED", {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": meta})

    async def bookmark(self) -> None:
        """Tell all watches that nothing happened until now, though the version has moved on elsewhere."""
        self.version += 5
        await self.tell("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(self.version)}})

    async def tell(self, kind: str, obj: Obj) -> None:
        """Send an event to all watches."""
        self._events.append({"version": self.version, "type": kind, "object": obj})
        async with self._news:
            self._news.notify_all()

    def forget_history(self) -> None:
        """No watch can be resumed from before now."""
        self.version += 1
        self.oldest = self.version

    def break_connections(self) -> None:
        """Break all watches in the midst."""
        for request in self._streams.values():
            if request.transport is not None:
                request.transport.abort()

    async def end_watches(self) -> None:
        """End all watches as the API server does when their time is over."""
        await self.tell("END", {})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        (self.watches if "watch" in query else self.lists).append(query)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "Unauthorized")
        faults = self.watch_faults if "watch" in query else self.list_faults
        if faults:
            return await faults.popleft()(request)
        return await (self._watch(request) if "watch" in query else self.list_pods(request))

    async def list_pods(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page."""
        query = request.query
        names = sorted(self._pods)
        start = names.index(query["continue"]) if query.get("continue") else 0
        page, rest = names[start : start + self.page_size], names[start + self.page_size :]
        meta = {"resourceVersion": str(self.version)} | ({"continue": rest[0]} if rest else {})
        items = [self._pods[name] for name in page] or None  # null, as Go writes an empty list
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        response = await stream(request)
        if since < self.oldest:
            await response.write(event_line("ERROR", status(410, "Expired")))
            return response
        task = asyncio.current_task()
        assert task is not None
        self._streams[task] = request
        try:
            at = next((i for i, event in enumerate(self._events) if event["version"] > since), len(self._events))
            while True:
                async with self._news:
                    while len(self._events) == at:
                        await self._news.wait()
                event, at = self._events[at], at + 1
                if event["type"] == "END":
                    return response
                await response.write(event_line(event["type"], event["object"]))
        finally:
            del self._streams[task]


async def stream(request: web.Request) -> web.StreamResponse:
    """An answer that has begun."""
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


def event_line(kind: str, obj: Obj) -> bytes:
    """An event as it is sent."""
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def status(code: int, reason: str) -> Obj:
    """What the API server says when it refuses."""
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"because of {reason}"}


def refusal(code: int, reason: str, **headers: str) -> web.Response:
    """A refused request."""
    return web.json_response(status(code, reason), status=code, headers=headers)


def refuses(code: int, reason: str, **headers: str) -> Fault:
    """Refuse a request."""

    async def fault(_: web.Request) -> web.StreamResponse:
        return refusal(code, reason, **headers)

    return fault


def says(*pieces: bytes, then: str = "ends") -> Fault:
    """Answer a watch with these bytes, and then end it, break the connection, or say nothing more ("hangs")."""

    async def fault(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        for piece in pieces:
            await response.write(piece)
        if then == "breaks" and request.transport is not None:
            request.transport.abort()
        if then == "hangs":
            await asyncio.Event().wait()
        return response

    return fault
