"""A line to the API server that can be cut, and can stand still."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml


class Line:
    """Forwards bytes from a port of its own to the API server of a kubeconfig."""

    def __init__(self) -> None:
        self._far_end = ("", 0)
        self._whole = True
        self._flows = asyncio.Event()
        self._flows.set()
        self._calls: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, kubeconfig: Path, copy: Path) -> AsyncIterator[Self]:
        """A line while inside; ``copy`` becomes a kubeconfig that goes through it."""
        line = cls()
        server = await asyncio.start_server(line._call, "127.0.0.1", 0)
        line._far_end = _replace_address(kubeconfig, copy, server.sockets[0].getsockname()[1])
        try:
            yield line
        finally:
            server.close()
            line.cut()

    @property
    def used(self) -> bool:
        """True while anybody is connected."""
        return bool(self._calls)

    def cut(self) -> None:
        """Break every connection, and let nobody through."""
        self._whole = False
        for call in self._calls:
            call.cancel()

    def stall(self) -> None:
        """Keep every connection, new ones too, and let nothing through: as when a machine loses its power."""
        self._flows.clear()

    def mend(self) -> None:
        """Let new connections through again."""
        self._whole = True

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        ends = [writer]
        try:
            if self._whole:
                answers, questions = await asyncio.open_connection(*self._far_end)
                ends.append(questions)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, questions))
                    both.create_task(self._pump(answers, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # a broken line is what this is for
        finally:
            self._calls.discard(task)
            for end in ends:
                end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flows.wait()
            target.write(data)
            await target.drain()
        raise ConnectionError("one side has hung up")


def _replace_address(kubeconfig: Path, copy: Path, port: int) -> tuple[str, int]:
    """Write a copy that names this port of ours. Returns the address that it replaces."""
    content = yaml.safe_load(kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    cluster["server"] = f"{address.scheme}://127.0.0.1:{port}"
    copy.write_text(yaml.safe_dump(content))
    return address.hostname or "", address.port or 443
