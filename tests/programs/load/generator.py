"""Asks a served model at a steady rate over kept connections and counts what comes back. Standard library only.

usage: generator.py <url> <requests per second> <connections> <seconds>. It prints one line of JSON:
asked, lost (everything but a 200, by what it was), by (answers by revision), p50_ms, p99_ms. SIGTERM ends it early.
"""

import asyncio
import collections
import json
import signal
import sys
import time
from urllib.parse import urlsplit

BODY = json.dumps({"instances": [[0.0] * 64]}).encode()
PATIENCE = 30.0


class Load:
    """Requests that are sent when they are due, whatever became of those before."""

    def __init__(self, url: str, rate: float) -> None:
        """``rate``: requests per second, over all connections."""
        self._url = urlsplit(url)
        self._rate = rate
        self._next = 0
        self._begun = time.monotonic()
        self.stop = asyncio.Event()
        self.asked = 0
        self.lost: collections.Counter[str] = collections.Counter()
        self.by: collections.Counter[str] = collections.Counter()
        self.times: list[float] = []

    async def ask(self) -> None:
        """One connection after another, each for as long as it lasts."""
        connection = None
        while not self.stop.is_set():
            due = self._begun + self._next / self._rate
            self._next += 1
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.asked += 1
            begin = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    connection = connection or await asyncio.open_connection(self._url.hostname, self._url.port or 80)
                    status, headers = await self._predict(*connection)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                self.lost[repr(error)] += 1
                connection = None
                continue
            self.times.append(time.monotonic() - begin)
            self.by[headers.get("x-lamplighter-revision", "")] += 1
            if status != 200:
                self.lost[str(status)] += 1
            if headers.get("connection", "").lower() == "close":
                connection[1].close()
                connection = None

    async def _predict(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, dict[str, str]]:
        head = f"POST {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        first = await reader.readuntil(b"\r\n\r\n")
        line, *rest = first.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest) if name}
        if headers.get("transfer-encoding") == "chunked":
            while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\r\n")
        else:
            await reader.readexactly(int(headers.get("content-length", 0)))
        return int(line.split()[1]), headers

    def result(self) -> dict[str, object]:
        """What is printed in the end."""
        times = sorted(self.times) or [0.0]
        p50, p99 = (round(times[min(len(times) - 1, int(len(times) * part))] * 1000, 2) for part in (0.5, 0.99))
        return {"asked": self.asked, "lost": dict(self.lost), "by": dict(self.by), "p50_ms": p50, "p99_ms": p99}


async def main() -> None:
    """Load until the time is over or somebody says so."""
    url, rate, connections, seconds = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    load = Load(url, rate)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, load.stop.set)
    loop.call_later(seconds, load.stop.set)
    print("begun", flush=True)
    await asyncio.gather(*(load.ask() for _ in range(connections)))
    print(json.dumps(load.result()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
