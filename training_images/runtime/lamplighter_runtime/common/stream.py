"""Passing a process's output through unchanged, and reading it on the way."""

import io
import os
import select
import threading
from collections.abc import Callable
from typing import BinaryIO

LONGEST_LINE = 64 * 1024  # bytes; a progress bar without newlines must not grow without bound
PATIENCE = 0.1  # seconds that an unfinished line is held back, so that the lines of several ranks do not mix


class Sink:
    """An output that several threads share; each piece is written whole, and a broken output is ignored."""

    def __init__(self, output: BinaryIO) -> None:
        """Write to `output`."""
        self._output, self._lock = output, threading.Lock()

    def write(self, data: bytes) -> None:
        """Write at once."""
        with self._lock:
            try:
                self._output.write(data)
                self._output.flush()
            except (OSError, ValueError):
                return  # nothing reads the container's output any more; the training continues


class Tee(threading.Thread):
    """Copies a pipe in whole lines, where they arrive fast enough, and passes each line to `observe`."""

    def __init__(self, source: int, write: Callable[[bytes], None], observe: Callable[[str], None]) -> None:
        """Copy the file descriptor `source`, and close it at its end, which join() waits for."""
        super().__init__(daemon=True, name=f"tee-{source}")
        self._source, self._write, self._observe = source, write, observe

    def run(self) -> None:
        """Copy until the source ends."""
        line = b""  # the unfinished line
        held = b""  # the part of it that has not been written yet
        while True:
            if held and not select.select([self._source], [], [], PATIENCE)[0]:
                self._write(held)
                held = b""
            chunk = os.read(self._source, LONGEST_LINE)
            if not chunk:
                break
            whole, held = _whole_lines(held + chunk)
            if whole:
                self._write(whole)
            *lines, line = (line + chunk).split(b"\n")
            for text in lines:
                self._observe(text.decode("utf-8", "replace"))
            line = line[-LONGEST_LINE:]
        os.close(self._source)
        if held:
            self._write(held)
        if line:
            self._observe(line.decode("utf-8", "replace"))


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    """Split after the last complete line; a progress bar ends its lines with a carriage return."""
    end = len(data) if len(data) > LONGEST_LINE else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data[:end], data[end:]


class LineFilter(threading.Thread):
    """Copies a pipe line by line, without the lines that `keep` rejects."""

    def __init__(self, source: io.BufferedReader, sink: BinaryIO, keep: Callable[[str], bool]) -> None:
        """Copy `source` to `sink` until the source's end, which join() waits for."""
        super().__init__(daemon=True)
        self._source, self._sink, self._keep = source, sink, keep

    def run(self) -> None:
        """Copy until the source ends."""
        while line := self._source.readline(LONGEST_LINE):
            if self._keep(line.decode("utf-8", "replace").rstrip("\r\n")):
                self._sink.write(line)
                self._sink.flush()
