"""What tests that run side by side have in common: whoever changes it has it to himself meanwhile."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from tests import tools

OPERATORS, NODES = "operators", "nodes"


@contextmanager
def sole(what: str, *, wait: bool = True) -> Iterator[bool]:
    """Have something to oneself while inside, among all processes; False when another has it and we do not wait."""
    with (tools.STATE / f"e2e-{what}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
