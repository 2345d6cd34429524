"""Each rank's output in a bounded file on the workspace.

When one pod fails, the Job controller deletes the others, and their logs are gone with them.
"""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

SEGMENT = 256 * 1024  # bytes; there are two: rank-<n>.log and the older rank-<n>.log.1
QUEUED = 256  # pieces that may wait for a slow volume before new ones are dropped


class RankLog:
    """A log of bounded size that keeps the newest output."""

    def __init__(self, path: Path) -> None:
        """Append to `path`; OSError when that is impossible."""
        self._path = path
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, data: bytes) -> None:
        """Append; begin a new segment when this one is full."""
        while data:
            if self._size >= SEGMENT:
                self._turn()
            written = self._file.write(data[: SEGMENT - self._size])
            self._size += written
            data = data[written:]

    def _turn(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = self._path.open("wb", buffering=0)
        self._size = 0


class RankLogs(threading.Thread):
    """Writes the logs of all local ranks; a full, slow or missing volume costs the logs and nothing else."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Write into `folder`, which need not exist yet; `say` gets one sentence when that fails."""
        super().__init__(daemon=True, name="rank-logs")
        self._folder, self._say = folder, say
        self._queue: queue.Queue[tuple[int, bytes] | None] = queue.Queue(QUEUED)
        self._logs: dict[int, RankLog] = {}
        self._broken = False

    def write(self, rank: int, data: bytes) -> None:
        """Queue the data for writing; never waits."""
        if self._broken:
            return
        try:
            self._queue.put_nowait((rank, data))
        except queue.Full:
            return  # the volume is stuck

    def run(self) -> None:
        """Write until close() is called."""
        while piece := self._queue.get():
            if not self._broken:
                self._store(*piece)

    def _store(self, rank: int, data: bytes) -> None:
        try:
            if rank not in self._logs:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._logs[rank] = RankLog(self._folder / f"rank-{rank}.log")
            self._logs[rank].write(data)
        except OSError as error:
            self._broken = True
            self._say(f"cannot keep the ranks' logs in {self._folder}: {error}; training continues without them")

    def close(self) -> None:
        """Write what is queued, within three seconds."""
        try:
            self._queue.put(None, timeout=1)
        except queue.Full:
            return
        self.join(timeout=2)
