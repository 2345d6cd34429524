"""The socket between the ranks and the launcher: events as JSON datagrams."""

import array
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATH_VARIABLE = "LAMPLIGHTER_EVENTS"
STACKS_SIGNAL = signal.SIGUSR2  # on it, a rank that uses the library prints the stacks of its threads
STOP_SUFFIX = ".stop"  # a file named like the socket plus this says that a stop signal came from outside
LONGEST = 32 * 1024  # bytes of a datagram

Event = dict[str, Any]


class Sender:
    """The rank's end. It drops what it cannot send: a report never harms a training."""

    def __init__(self, path: str) -> None:
        """Connect on the first send; `path` is what PATH_VARIABLE says."""
        self.path = path
        self._socket: socket.socket | None = None
        self._process = 0

    def send(self, event: Event, wait: float = 0.0) -> bool:
        """Send an event and return whether it was queued; wait at most `wait` seconds for room in the queue."""
        try:
            connection = self._connected()
            connection.settimeout(wait)
            connection.send(json.dumps(event).encode())
        except (OSError, ValueError):
            return False
        return True

    def send_files(self, event: Event, files: list[int]) -> None:
        """Send an event together with open files; OSError when the launcher is gone."""
        connection = self._connected()
        connection.settimeout(10)
        socket.send_fds(connection, [json.dumps(event).encode()], files)

    def _connected(self) -> socket.socket:
        # A forked child (a DataLoader's worker) must not share its parent's socket object.
        if self._socket is None or self._process != os.getpid():
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                connection.connect(self.path)
            except OSError:
                connection.close()
                raise
            self._socket, self._process = connection, os.getpid()
        return self._socket


class Receiver(threading.Thread):
    """The launcher's end: hands each event, and the files that came with it, to `take`."""

    def __init__(self, path: Path, take: Callable[[Event, list[int]], None]) -> None:
        """Listen at `path`; OSError where no socket can be created there."""
        super().__init__(daemon=True, name="events")
        self._take = take
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._path = path

    def run(self) -> None:
        """Receive until the process ends or close() is called."""
        size = array.array("i").itemsize
        while True:
            try:
                data, control, _, _ = self._socket.recvmsg(LONGEST, socket.CMSG_SPACE(2 * size))
            except OSError:
                return
            if data == b"":  # close()
                return
            files = array.array("i")
            for level, kind, content in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    files.frombytes(content[: len(content) - len(content) % size])
            event = _decoded(data)
            if event is None:
                for file in files:
                    os.close(file)
            else:
                with contextlib.suppress(KeyError, TypeError, ValueError):  # a script may write here, too
                    self._take(event, list(files))

    def close(self) -> None:
        """Process what has arrived so far, then end the thread."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            try:
                last.settimeout(1)
                last.connect(str(self._path))
                last.send(b"")
            except OSError:
                return
        self.join(timeout=2)


def _decoded(data: bytes) -> Event | None:
    try:
        event = json.loads(data)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
