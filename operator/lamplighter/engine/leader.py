"""Labels the operator's own pod while it leads, so that a Service can select the leader."""

import asyncio
import contextlib
import logging
from typing import Protocol

from lamplighter.core.naming import LEADER
from lamplighter.engine.api import ApiError

AGAIN_FIRST, AGAIN_MAX = 0.5, 60.0
"""Seconds until a failed write of the label is retried."""
LOOK_AGAIN = 300.0
"""Seconds until the label is written again, in case something else changed it."""
WRITE_S = 5.0
LAST_TRY = 2.0

log = logging.getLogger(__name__)


class Labeller(Protocol):
    """Changes labels of pods."""

    async def label_pod(self, namespace: str, name: str, label: str, value: str | None) -> None:
        """Set a label, or with None remove it."""


class LeaderLabel:
    """Keeps the label of one pod up to date, one write at a time. A failed write is only logged and retried."""

    def __init__(self, labeller: Labeller, namespace: str, pod: str | None) -> None:
        """``pod`` None: this process runs outside a pod, so there is nothing to label."""
        self._labeller = labeller
        self._namespace = namespace
        self._pod = pod
        self._leads = False
        self._ends = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def say(self, leads: bool) -> None:
        """From now on, keep the label on the pod or off it."""
        self._leads = leads
        self._changed.set()
        if self._task is None and self._pod is not None:
            self._task = asyncio.create_task(self._keep(self._pod))

    async def end(self) -> None:
        """Remove the label because the process ends, if that succeeds in time."""
        self._ends = True
        self.say(leads=False)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LAST_TRY)
            self._task.cancel()

    async def _keep(self, pod: str) -> None:
        pause = AGAIN_FIRST
        while True:
            self._changed.clear()
            ends, written = self._ends, await self._write(pod, self._leads)
            if ends:
                return
            # No wait_for: it creates a task in Python 3.11, and Kopf cancels all tasks that it finds when it stops.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN if written else pause):
                    await self._changed.wait()
            pause = AGAIN_FIRST if written else min(pause * 2, AGAIN_MAX)

    async def _write(self, pod: str, leads: bool) -> bool:
        try:
            async with asyncio.timeout(WRITE_S):
                await self._labeller.label_pod(self._namespace, pod, LEADER, "true" if leads else None)
        except (ApiError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            log.warning("the leader label could not be %s pod %s: %s", "set on" if leads else "removed from", pod, why)
            return False
        return True
