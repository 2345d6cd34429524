"""Passing a child's output through unchanged while reading along."""

import io
import threading
from collections.abc import Callable
from typing import BinaryIO

LONGEST_LINE = 64 * 1024  # bytes; a progress bar without newlines must not grow without bound


class Tee(threading.Thread):
    """Copies a pipe to an output chunk by chunk and hands each complete line to `observe`."""

    def __init__(self, source: io.BufferedReader, sink: BinaryIO, observe: Callable[[str], None]) -> None:
        """Copy `source` to `sink`; start() begins, join() waits for the source's end."""
        super().__init__(daemon=True)
        self._source, self._sink, self._observe = source, sink, observe

    def run(self) -> None:
        """Copy until the source ends."""
        pending = b""
        # read1 returns what is there: output is never held back for a full buffer.
        while chunk := self._source.read1(LONGEST_LINE):
            self._sink.write(chunk)
            self._sink.flush()
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._observe(line.decode("utf-8", "replace"))
            pending = pending[-LONGEST_LINE:]
        if pending:
            self._observe(pending.decode("utf-8", "replace"))


class LineFilter(threading.Thread):
    """Copies a pipe to an output line by line, leaving out the lines that `keep` refuses."""

    def __init__(self, source: io.BufferedReader, sink: BinaryIO, keep: Callable[[str], bool]) -> None:
        """Copy `source` to `sink`; start() begins, join() waits for the source's end."""
        super().__init__(daemon=True)
        self._source, self._sink, self._keep = source, sink, keep

    def run(self) -> None:
        """Copy until the source ends."""
        while line := self._source.readline(LONGEST_LINE):
            if self._keep(line.decode("utf-8", "replace").rstrip("\r\n")):
                self._sink.write(line)
                self._sink.flush()
