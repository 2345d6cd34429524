"""POST /v1/progress, where pods send their reports. All that they can make the operator spend is limited here."""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from lamplighter.engine import metrics
from lamplighter.progress.intake import Intake
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.report import MAX_BYTES

PATH = "/v1/progress"
CONNECTIONS = 1024
LIFETIME_S = 15.0
"""A connection is closed after this time, even if it never sent a complete request."""
BODY_S = 5.0
AT_ONCE = 256
"""Requests that are handled at the same time."""

VERDICTS = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    409: "replayed",
    410: "over",
    413: "too-large",
    415: "media-type",
    429: "too-often",
    503: "unavailable",
}

log = logging.getLogger(__name__)


class Endpoint:
    """Serves in every replica; only the leader sets an ``intake``."""

    def __init__(self) -> None:
        self.intake: Intake | None = None
        self._at_work = 0

    @contextlib.asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[int]:
        """Answer on this port (0: any) while inside; gives the port."""
        app = web.Application(client_max_size=MAX_BYTES)
        app.add_routes([web.post(PATH, self._post)])
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            lingering_time=1.0,
            max_headers=64,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _connection(runner, loop), sock=_listener(port))
        try:
            chosen: int = server.sockets[0].getsockname()[1]
            log.info("accepting progress reports on port %d", chosen)
            yield chosen
        finally:
            server.close()
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        verdict = "error"
        try:
            with metrics.PROGRESS_SECONDS.time():
                await self._take(request)
            verdict = "accepted"
            response = web.Response(status=204)
        except Refusal as refusal:
            verdict = VERDICTS[refusal.status]
            response = web.json_response({"message": refusal.message}, status=refusal.status)
            if refusal.retry_after is not None:
                response.headers["Retry-After"] = str(max(math.ceil(refusal.retry_after), 1))
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
        except asyncio.CancelledError:
            verdict = "gone"
            raise
        finally:
            metrics.PROGRESS_REPORTS.labels(verdict).inc()
        response.force_close()
        return response

    async def _take(self, request: web.Request) -> None:
        intake = self.intake
        if intake is None:
            raise Refusal(503, "this replica is not the leader, try again", 1.0)
        if self._at_work >= AT_ONCE:
            raise Refusal(503, "too many reports at the same time, try again", 1.0)
        self._at_work += 1
        try:
            if request.content_type != "application/json" or "Content-Encoding" in request.headers:
                raise Refusal(415, "send the report as application/json, not compressed")
            if (request.content_length or 0) > MAX_BYTES:
                raise _too_large()
            caller = await intake.identify(_bearer(request), request.remote or "")
            intake.accept(caller, await _body(request))
        finally:
            self._at_work -= 1


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(401, "send the pod's projected token: Authorization: Bearer <token>")
    return token.strip()


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()  # limited by client_max_size
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large() from error
    except TimeoutError as error:
        raise Refusal(400, f"the report did not arrive within {BODY_S:.0f} s") from error


def _too_large() -> Refusal:
    return Refusal(413, f"a report has at most {MAX_BYTES} bytes: send fewer metrics")


def _listener(port: int) -> socket.socket:
    """One socket for both families: two could not pick the same free port."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=CONNECTIONS, dualstack_ipv6=both)


class _Refused(asyncio.Protocol):
    """Closes a connection beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for mypy: a server's are)
        transport.abort()


def _connection(runner: web.AppRunner, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
    assert runner.server is not None  # noqa: S101 (for mypy: it is set up)
    if len(runner.server.connections) >= CONNECTIONS:
        return _Refused()
    protocol = runner.server()

    def end() -> None:
        if protocol.transport is not None:
            protocol.transport.abort()

    loop.call_later(LIFETIME_S, end)
    return protocol
