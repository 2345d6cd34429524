"""Agreement among the ranks of a torch.distributed group; a single process agrees with itself.

torch is never imported here: a script that uses torch.distributed has imported it.
"""

import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

TIMEOUT = timedelta(hours=2)  # how long ranks wait for one that writes or hashes a large checkpoint
PERIOD = 1.0  # seconds between two exchanges of a question that is asked at every step
MAX_CALLS = 10_000  # calls between two exchanges, at most


class CheckpointError(Exception):
    """A checkpoint was not committed because another rank could not write its part."""


def distributed() -> Any | None:
    """Return torch.distributed when its default group is initialised, else None."""
    module = sys.modules.get("torch.distributed")
    return module if module is not None and module.is_available() and module.is_initialized() else None


class _GroupReference:
    """A weak reference: a group kept alive beyond destroy_process_group aborts the process when it exits."""

    def __init__(self) -> None:
        self._reference: Any = None

    def get(self) -> Any:
        """Return the group, or None once it is gone."""
        return self._reference() if self._reference is not None else None

    def set(self, group: Any) -> None:
        """Remember another group."""
        self._reference = weakref.ref(group) if group is not None else None


class _Control:
    """A gloo group beside the default one, so that exchanging a few bytes does not wait for work on the GPUs."""

    def __init__(self) -> None:
        self._world = _GroupReference()
        self._group = _GroupReference()

    def group(self, dist: Any) -> Any:
        """Return the group; the first call after each init_process_group is collective."""
        if self._world.get() is not dist.group.WORLD:
            self._world.set(dist.group.WORLD)
            self._group.set(dist.new_group(backend="gloo", timeout=TIMEOUT) if dist.is_gloo_available() else None)
        return self._group.get()


_control = _Control()


def gather(value: Any) -> list[Any]:
    """Return every rank's value, by rank; all ranks must call it."""
    dist = distributed()
    if dist is None or dist.get_world_size() == 1:
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value, group=_control.group(dist))
    return values


def from_first(value: Any) -> Any:
    """Return rank 0's value; all ranks must call it."""
    dist = distributed()
    if dist is None or dist.get_world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0, group=_control.group(dist))
    return values[0]


def greatest(values: list[int]) -> list[int]:
    """Return the elementwise maximum over all ranks; all ranks must call it."""
    dist = distributed()
    if dist is None or dist.get_world_size() == 1:
        return values
    group = _control.group(dist)
    if group is None:
        return [max(place) for place in zip(*gather(values), strict=True)]
    tensor = sys.modules["torch"].tensor(values, dtype=sys.modules["torch"].int64)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=group)
    return [int(value) for value in tensor.tolist()]


class Question:
    """A yes-or-no question that all ranks ask at the same steps; the answer is yes when any of them says yes.

    The ranks exchange their answers about once a second, after a number of questions that rank 0 chooses: between two
    exchanges a question costs nothing, and all ranks get the same answer at the same step.
    """

    def __init__(self) -> None:
        """Nothing has been asked yet."""
        self._world = _GroupReference()
        self._left = self._calls = 1
        self._asked = time.monotonic()

    def ask(self, mine: bool) -> bool:
        """Return the common answer; `mine` is this rank's."""
        dist = distributed()
        if dist is None or dist.get_world_size() == 1:
            return mine
        if self._world.get() is not dist.group.WORLD:
            self._world.set(dist.group.WORLD)
            self._left = self._calls = 1
            self._asked = time.monotonic()
        self._left -= 1
        if self._left > 0:
            return False
        answer, self._calls = greatest([int(mine), self._next_calls() if dist.get_rank() == 0 else 0])
        self._left = self._calls
        return bool(answer)

    def _next_calls(self) -> int:
        now = time.monotonic()
        each, self._asked = (now - self._asked) / self._calls, now
        return max(1, min(int(PERIOD / max(each, 1e-9)), 2 * self._calls, MAX_CALLS))


@contextmanager
def all_or_none(what: str) -> Iterator[None]:
    """Run the body on every rank; an error on one rank is raised there, and as CheckpointError on all others."""
    error: Exception | None = None
    try:
        yield
    except Exception as raised:
        error = raised
    failed = [rank for rank, fine in enumerate(gather(error is None)) if not fine]
    if error is not None:
        raise error
    if failed:
        raise CheckpointError(f"{what} failed on rank {', '.join(map(str, failed))}")
