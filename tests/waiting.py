"""Wait for a condition, never for a time: the one place where tests do it, with threads or in an event loop.

Every wait names what it waits for; the error says so, and for how long it waited.
"""

import asyncio
import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

Answer = TypeVar("Answer")
PATIENCE = 60.0
"""Seconds after which a condition that does not come about fails a test: a slow machine is no failure."""


def wait_until(what: str, holds: Callable[[], Answer], seconds: float = PATIENCE, *, every: float = 0.25) -> Answer:
    """Ask once in ``every`` seconds until the answer is true; gives that answer.

    Raises:
        TimeoutError: it did not become true within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > deadline:
            raise _too_late(what, seconds)
        time.sleep(every)
    return answer


async def until(
    what: str,
    holds: Callable[[], Answer | Awaitable[Answer]],
    seconds: float = PATIENCE,
    *,
    bell: asyncio.Event | None = None,
    every: float = 0.1,
) -> Answer:
    """Ask whenever the bell rings, and once in ``every`` seconds, until the answer is true; gives that answer.

    ``holds`` may be a function or a coroutine function.

    Raises:
        TimeoutError: it did not become true within ``seconds``.
    """
    bell = bell or asyncio.Event()
    deadline = time.monotonic() + seconds
    while True:
        bell.clear()
        answer = holds()
        found = cast("Answer", await answer if inspect.isawaitable(answer) else answer)
        if found:
            return found
        if time.monotonic() > deadline:
            raise _too_late(what, seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), every)


def _too_late(what: str, seconds: float) -> TimeoutError:
    return TimeoutError(f"not within {seconds:.0f} s: {what}")
