"""What both state machines have in common: time, lagging watches, deaths and faults of the operator."""

import asyncio
from datetime import datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from tests.builders.objects import Obj, later
from tests.unit.convergence.life import Life
from tests.unit.convergence.server import Killed, Server

PATIENCE = 20.0
"""Seconds after which the operator does not wait for evidence any more."""
LATE = ("Job", "ControllerRevision", "Deployment", "Service", "ConfigMap", "Pod", "Node")
"""Kinds whose listing a new leader may have got before the last writes of the old one."""
PROFILE = settings(
    max_examples=max(150, settings.default.max_examples),
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class World(RuleBasedStateMachine):
    """An API server, controllers, people, and an operator that may die at any write."""

    kind: str
    ROUNDS = 15
    """How often everybody may have something left to do."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.server = Server()
        self.seconds = 0.0
        self.life = Life(self.kind, self.server, self.clock, self.loop)

    def clock(self) -> datetime:
        """The time of the world."""
        return later(self.seconds)

    @rule(steps=st.integers(1, 3), heard=st.booleans())
    def the_operator_works(self, steps: int, heard: bool) -> None:
        if heard:
            self.life.hear_all()
        for _ in range(min(steps, len(self.life.waiting))):
            self._step()

    @precondition(lambda self: any(self.server.streams.values()))
    @rule(data=st.data())
    def a_watch_tells_something(self, data: st.DataObject) -> None:
        self.life.deliver(data.draw(st.sampled_from(sorted(k for k, s in self.server.streams.items() if s))))

    @rule()
    def the_operator_catches_up(self) -> None:
        self._catch_up()

    @rule(writes=st.integers(0, 5), behind=st.sampled_from([None, *LATE]))
    def the_operator_dies(self, writes: int, behind: str | None) -> None:
        if self.life.waiting:
            self.server.die_at = writes
            self._step()
        self._restart(behind)

    @precondition(lambda self: self.life.waiting)
    @rule(fault=st.sampled_from(["lost", "unanswered"]))
    def a_request_fails(self, fault: str) -> None:
        self.server.fault = fault
        self._step()
        self.server.fault = None

    @rule()
    def all_comes_to_rest(self) -> None:
        """Nobody does anything for a while: what was missed now would be missed for ever."""
        self._come_to_rest()
        self.check_rest()

    @rule(seconds=st.sampled_from([1, 15, 90, 3700]))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds
        self.server.collect_garbage()
        self.life.fire()

    def controllers_finish(self) -> None:
        """Let Kubernetes' controllers do all that they have to do."""
        raise NotImplementedError

    def check_rest(self) -> None:
        """What must be true when nothing happens any more."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Leave the world alone: it comes to rest, and then even a new operator finds nothing to do."""
        try:
            self.all_comes_to_rest()
            before = self.server.writes
            self._restart()
            self._catch_up()
            assert self.server.writes == before, "the operator wrote something although nothing had happened"
        finally:
            self.loop.close()

    def objects(self, kind: str) -> list[Obj]:
        """All objects of a kind."""
        return [obj for (its_kind, _), obj in sorted(self.server.objects.items()) if its_kind == kind]

    def _step(self) -> None:
        try:
            self.life.reconcile()
        except Killed:
            self._restart()

    def _catch_up(self) -> None:
        try:
            self.life.catch_up()
        except Killed:
            self._restart()

    def _restart(self, behind: str | None = None) -> None:
        self.life = Life(self.kind, self.server, self.clock, self.loop, behind)

    def _come_to_rest(self) -> None:
        self.server.refused = set()
        for _ in range(self.ROUNDS):
            before = self.server.writes
            self.server.collect_garbage()
            self.controllers_finish()
            self._catch_up()
            self.seconds = max(
                [self.seconds + PATIENCE, *(due - later(0).timestamp() for due in self.life.timers.values())]
            )
            self.life.fire()
            self._catch_up()
            if self.server.writes == before and not self.life.waiting:
                return
        raise AssertionError("the world does not come to rest")


def case_of(world: type[World]) -> type:
    """The test of a world, for pytest to find."""
    case = world.TestCase
    case.settings = PROFILE
    return pytest.mark.hypothesis(case)
