"""The course of a rollout: what the strategy says about each step, in one form for all strategies. Pure."""

import math
from dataclasses import dataclass

from lamplighter.api.common import seconds
from lamplighter.api.strategy import BlueGreen, Step, Strategy

FULL = Step(weight=100)
"""The last step of every course: the candidate gets everything, and is the stable revision once it has."""


@dataclass(frozen=True, slots=True)
class Course:
    """Steps on the way to all requests.

    ``full_size``: the candidate has all its pods from the first step on. ``keep``: seconds that the old revision stays
    warm afterwards. ``preview``: the candidate can be reached by itself. ``alone``: the old revision goes first.
    """

    steps: tuple[Step, ...] = ()
    full_size: bool = False
    keep: float = 0.0
    preview: bool = False
    alone: bool = False

    def step(self, done: int) -> Step:
        """The step that follows after so many."""
        return self.steps[done] if done < len(self.steps) else FULL

    def size(self, done: int, replicas: int) -> int:
        """How many pods the candidate needs in the step after so many: as its share of the load, and at least one."""
        if self.full_size:
            return replicas
        step = self.step(done)
        return min(replicas, max(1, math.ceil(replicas * max(step.weight, step.mirror) / 100)))

    def progress(self, done: int) -> str:
        """Which step is under way of how many: ``2/4``."""
        return f"{min(done, len(self.steps)) + 1}/{len(self.steps) + 1}"


AT_ONCE = Course()


def of(strategy: Strategy) -> Course:
    """The course that a strategy describes."""
    if strategy.recreate is not None:
        return Course(full_size=True, alone=True)
    if strategy.blue_green is not None:
        return _blue_green(strategy.blue_green)
    return Course(tuple(strategy.canary.steps)) if strategy.canary is not None else AT_ONCE


def share(ready: int, replicas: int) -> int:
    """The percent of the load that so many ready pods can take of what ``replicas`` are there for."""
    return 100 if ready >= replicas else 100 * ready // replicas


def _blue_green(chosen: BlueGreen) -> Course:
    first = Step(weight=0, hold=chosen.hold, pause=not chosen.auto_promote)
    return Course((first,), full_size=True, keep=seconds(chosen.keep), preview=True)
