"""Serving pods on loopback addresses of their own, and the name server that knows them."""

import asyncio
import socket
from typing import Any

from aiohttp import web


def free_port() -> int:
    """A port that nobody listens on, on any loopback address."""
    with socket.socket() as found:
        found.bind(("0.0.0.0", 0))
        return int(found.getsockname()[1])


class Pod:
    """Answers like a pod of a revision: REST, and /ready on the health port.

    It remembers what it was ``asked``, and how many bytes it ``received`` each time. ``resets``: then it drops the
    connection instead of an answer.
    """

    def __init__(self, address: str, ports: dict[int, int]) -> None:
        self.address, self.ready, self.status, self.resets = address, True, 200, False
        self.asked: list[web.Request] = []
        self.received: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._ports, self._runners = ports, dict[int, web.AppRunner]()

    async def start(self) -> "Pod":
        """Listen."""
        for port, handler in ((8080, self._predict), (8090, self._health)):
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            await web.TCPSite(runner, self.address, self._ports[port], reuse_address=True).start()
            self._runners[port] = runner
        return self

    async def stop(self, *ports: int) -> None:
        """Be gone without a word: all of it, or some of its ports."""
        for port in ports or tuple(self._runners):
            await self._runners.pop(port).cleanup()

    async def _predict(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        body = await request.read()
        self.received.append(len(body))
        await self.gate.wait()
        if self.resets and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status, body=body or b"prediction", headers={"x-pod": self.address})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready and request.path == "/ready" else 503)


class Names(asyncio.DatagramProtocol):
    """A name server for headless Services: ``addresses`` by name. Silent when ``down``."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.down, self.questions = False, 0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.questions += 1
        if self.down:
            return
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += data[at] + 1
        question = data[12 : at + 5]
        kind = int.from_bytes(data[at + 1 : at + 3])
        known = self.addresses.get(".".join(labels).lower(), [])
        found = [socket.inet_aton(address) for address in known] if kind == 1 else []
        code = 0 if known else 3  # no such name
        counts = (1).to_bytes(2) + len(found).to_bytes(2) + bytes(4)
        answers = b"".join(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + address for address in found)
        self.transport.sendto(data[:2] + bytes([0x84, 0x80 | code]) + counts + question + answers, addr)
