"""One life of the operator's process: the real index, reconcile and execution, stepped by a test."""

import asyncio
import functools
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime

from tests.unit.convergence.server import Server

from lamplighter.core.errors import TransientError
from lamplighter.deployment import model
from lamplighter.deployment import plan as deployment
from lamplighter.deployment.traffic.envoy.provider import ENVOY
from lamplighter.engine.api import ApiError
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.engine.reconcile import Kind, Reconciler
from lamplighter.engine.resources import PRIMARY
from lamplighter.training import plan as training
from lamplighter.training.view import TrainingOptions

OPTIONS = TrainingOptions(bad_node_conditions=frozenset({"GPUUnhealthy"}))
KINDS = {
    "ModelTraining": Kind(
        functools.partial(training.view_of, options=OPTIONS), training.reads, training.plan, training.blocked
    ),
    "ModelDeployment": Kind(
        deployment.view_of,
        functools.partial(deployment.reads, provider=ENVOY),
        functools.partial(deployment.plan, provider=ENVOY),
        functools.partial(deployment.blocked, provider=ENVOY),
    ),
}
RETRY = 1.0


class Life:
    """Keys wait in ``waiting``, or in ``timers`` until their moment. Nothing else makes the operator look again.

    Only objects of one kind are reconciled; what the other kind does is the test's to say.
    """

    def __init__(
        self,
        kind: str,
        server: Server,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
        behind: str | None = None,
    ) -> None:
        """The objects of the kind ``behind`` are not listed; the watch tells of them later."""
        self.kind = kind
        self.server = server
        self.waiting: list[Key] = []
        self.timers: dict[Key, float] = {}
        self.index = Index({"ModelDeployment": model.references}, self.wake, with_nodes=True)
        self._clock = clock
        self._loop = loop
        self._reconciler = Reconciler(server, self.index, KINDS, server.readers, "test", clock)
        server.streams.clear()
        server.die_at = None
        for obj in server.objects.values():
            if obj["kind"] == behind:
                server.streams[behind].append(("ADDED", deepcopy(obj)))
            elif obj["kind"] in (*PRIMARY, "Node") or "app.kubernetes.io/managed-by" in obj["metadata"].get(
                "labels", {}
            ):
                for key in self.index.put(obj):
                    self.wake(key)

    def wake(self, key: Key) -> None:
        """Have the key looked at."""
        self.timers.pop(key, None)
        if key.kind == self.kind and key not in self.waiting:
            self.waiting.append(key)

    def deliver(self, kind: str) -> None:
        """The watch of a kind tells of one more event."""
        event, obj = self.server.streams[kind].popleft()
        for key in self.index.remove(obj) if event == "DELETED" else self.index.put(obj):
            self.wake(key)

    def hear_all(self) -> None:
        """All watches tell all that they have to tell."""
        for kind in list(self.server.streams):
            while self.server.streams[kind]:
                self.deliver(kind)

    def fire(self) -> None:
        """Timers whose moment has come."""
        now = self._clock().timestamp()
        for key, due in list(self.timers.items()):
            if due <= now:
                self.wake(key)

    def reconcile(self) -> None:
        """Take the first waiting key one step, as a worker does. An error that is none of the API's is a bug."""
        key = self.waiting.pop(0)
        try:
            again = self._loop.run_until_complete(self._reconciler.reconcile(key))
        except (ApiError, TransientError):
            again = RETRY
        if again is not None and key not in self.waiting:
            self.timers[key] = self._clock().timestamp() + again

    def catch_up(self) -> None:
        """Hear all and do all that is to be done now."""
        for _ in range(200):
            self.hear_all()
            if not self.waiting:
                return
            self.reconcile()
        raise AssertionError(f"the operator does not come to rest: {self.waiting}")
