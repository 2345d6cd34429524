"""Output passes through unchanged, whole lines at a time where they come fast enough."""

import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common import stream


class Copy:
    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self.pieces: list[bytes] = []
        self.lines: list[str] = []
        self.more = threading.Condition()
        self.tee = stream.Tee(reading, self._write, self.lines.append)
        self.tee.start()

    def _write(self, data: bytes) -> None:
        with self.more:
            self.pieces.append(data)
            self.more.notify_all()

    def end(self) -> bytes:
        os.close(self.writing)
        self.tee.join(10)
        return b"".join(self.pieces)


@given(st.lists(st.binary(min_size=1, max_size=100), max_size=20))
def test_every_byte_passes(chunks: list[bytes]):
    copy = Copy()
    for chunk in chunks:
        os.write(copy.writing, chunk)
    assert copy.end() == b"".join(chunks)


def test_a_line_in_pieces_passes_whole():
    copy = Copy()
    for piece in (b"step ", b"1", b"\nstep 2\n"):
        os.write(copy.writing, piece)
    assert copy.end() == b"step 1\nstep 2\n"
    assert all(piece.endswith(b"\n") for piece in copy.pieces)
    assert copy.lines == ["step 1", "step 2"]


def test_a_line_that_does_not_end_is_not_held_back():
    copy = Copy()
    os.write(copy.writing, b"name? ")
    with copy.more:
        assert copy.more.wait_for(lambda: copy.pieces == [b"name? "], 10)
    assert copy.end() == b"name? "
    assert copy.lines == ["name? "]


def test_output_without_any_newline_takes_bounded_memory():
    copy = Copy()
    for _ in range(100):
        os.write(copy.writing, b"x" * 10_000)
    assert len(copy.end()) == 1_000_000
    assert len(copy.lines[-1]) <= stream.LONGEST_LINE


def test_a_broken_output_ends_nothing(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as output:
        stream.Sink(output).write(b"text")
