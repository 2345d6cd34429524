"""Takes reports of admitted pods, in order and not too often, and queues their trainings."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime

from lamplighter.core.report import ProgressReport
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key, KeyedQueue
from lamplighter.engine.reconcile import utc_now
from lamplighter.progress.admission import Sender, admit
from lamplighter.progress.bounded import Bounded
from lamplighter.progress.rate_limit import RateLimit, Slots
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.report import last_sign_of_life, parse
from lamplighter.progress.tokens import Caller, Tokens

PODS = 16384
"""Pods whose last report is remembered, to keep the order of reports and limit their rate."""


class Intake:
    """Takes reports in the leader, which has the index."""

    def __init__(
        self,
        index: Index,
        queue: KeyedQueue,
        tokens: Tokens,
        writes: float,
        ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``writes``: reconciles per second, over all trainings, for progress alone.

        ``ready`` returns False while the index is incomplete, or this process may have lost the lease.
        """
        self._index = index
        self._queue = queue
        self._tokens = tokens
        self._slots: Slots[Key] = Slots(writes)
        self._ready = ready
        self._clock = clock
        self._sequences: Bounded[str, int] = Bounded(PODS)
        self._rate_limit: RateLimit[str] = RateLimit(rate=1.0, burst=3, size=PODS)

    async def identify(self, token: str, address: str) -> Caller:
        """The pod that wants to report, admitted and within its rate limit.

        Raises:
            Refusal: it may not report (401, 403, 410), or not now (429, 503).
        """
        if not self._ready():
            raise Refusal(503, "this replica is not the leader, or not yet: try again", 1.0)
        caller = await self._tokens.caller(token, address)
        sender = self._admit(caller)
        if pause := self._rate_limit.wait(sender.uid, _now()):
            raise Refusal(429, "this pod sends more than one report per second", math.ceil(pause))
        self._rate_limit.spend(sender.uid, _now())
        return caller

    def accept(self, caller: Caller, body: bytes) -> None:
        """Take a report of an identified pod.

        Raises:
            Refusal: it is malformed (400), no newer than the last (409), or the attempt has ended meanwhile (410).
        """
        sender = self._admit(caller)
        report = parse(body)
        if (report.run, report.attempt) != (sender.run, sender.attempt):
            raise Refusal(
                400,
                f"the report is about attempt {report.attempt} of run {report.run}, "
                f"but this pod belongs to attempt {sender.attempt} of run {sender.run}",
            )
        now = self._clock()
        heartbeat = last_sign_of_life(report, sender.born, now)
        last = self._sequences.get(sender.uid)
        if last is not None and report.sequence <= last:
            raise Refusal(409, f"sequence {report.sequence} is not greater than {last}: a newer report was taken")
        self._sequences.put(sender.uid, report.sequence)
        self._note(sender, report.kept(sender.pod, sender.stage, heartbeat, now))

    def _note(self, sender: Sender, kept: ProgressReport) -> None:
        last = self._index.report(sender.key)
        self._index.note(sender.key, kept)
        if last is None or last.place != kept.place:
            self._slots.take(_now())
            self._queue.add_by(sender.key, 0.0)
        else:
            self._queue.add_by(sender.key, self._slots.delay(sender.key, _now()))

    def _admit(self, caller: Caller) -> Sender:
        return admit(self._index, caller, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
