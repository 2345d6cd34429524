"""The exception that ended a program is found among its output."""

from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common.tracebacks import HEADER, TracebackFinder


def read(text: str) -> TracebackFinder:
    finder = TracebackFinder()
    for line in text.splitlines():
        finder.feed(line)
    return finder


PLAIN = """\
starting
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    load()
    ^^^^^^
ValueError: boom
"""
TWO_RANKS_MIXED = """\
[rank1]: Traceback (most recent call last):
[rank0]: Traceback (most recent call last):
[rank1]:   File "train.py", line 6, in <module>
[rank0]:   File "train.py", line 7, in <module>
[rank1]: ValueError: boom
[rank0]: RuntimeError: Connection closed by peer
"""
CHAINED = """\
Traceback (most recent call last):
  File "train.py", line 3, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "train.py", line 5, in <module>
RuntimeError: no data
"""
SURVIVED_THEN_FATAL = PLAIN + "carrying on\n" + PLAIN.replace("boom", "the end")


def test_the_last_line_of_a_traceback_is_found():
    assert read(PLAIN).cause() == "ValueError: boom"


def test_mixed_tracebacks_of_two_ranks_are_told_apart():
    assert read(TWO_RANKS_MIXED).cause() == "ValueError: boom"


def test_the_rank_that_failed_first_is_asked_for():
    assert read(TWO_RANKS_MIXED).cause(rank=0) == "RuntimeError: Connection closed by peer"


def test_the_last_link_of_a_chain_counts():
    finder = read(CHAINED)
    assert finder.cause() == "RuntimeError: no data"
    assert [raised.first for raised in finder.found] == ["KeyError: 'x'"]


def test_an_exception_that_was_logged_and_survived_is_not_the_cause():
    assert read(SURVIVED_THEN_FATAL).cause() == "ValueError: the end"


def test_without_a_traceback_there_is_no_cause():
    assert read("ValueError: only talked about\n").cause() is None


@given(st.lists(st.sampled_from([*TWO_RANKS_MIXED.splitlines(), *CHAINED.splitlines(), "noise", ""]) | st.text()))
def test_any_lines_can_be_read(lines: list[str]):
    finder = TracebackFinder(keep=3)
    for line in lines:
        finder.feed(line)
    assert len(finder.found) <= 3


def test_the_innermost_frame_tells_where_it_was_raised():
    finder = TracebackFinder()
    for line in (HEADER, '  File "/opt/ts/service.py", line 135, in predict', "    ret = self.entry(batch)",
                 '  File "/tmp/models/a1b2/handler.py", line 20, in handle', "    raise ValueError(1)"):  # fmt: skip
        finder.feed(line)
    raised = finder.feed("ValueError: 1")
    assert raised is not None
    assert raised.where == "handler.py, line 20, in handle"
