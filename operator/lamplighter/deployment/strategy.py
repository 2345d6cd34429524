"""The strategy of a rollout: what the spec asks of each step, in one form for canary, blue-green and recreate. Pure."""

import math
from dataclasses import dataclass

from lamplighter.api.common import seconds
from lamplighter.api.strategy import BlueGreen, Step, Strategy

FULL = Step(weight=100)
"""The last step of every rollout: the candidate gets all requests, and becomes the stable revision once it has them."""


@dataclass(frozen=True, slots=True)
class RolloutStrategy:
    """The steps that a candidate takes until it gets all requests.

    ``full_size``: the candidate has all its pods from the first step on. ``keep``: seconds that the old revision stays
    warm afterwards. ``preview``: the candidate can be reached by itself. ``alone``: the old revision goes first.
    """

    steps: tuple[Step, ...] = ()
    full_size: bool = False
    keep: float = 0.0
    preview: bool = False
    alone: bool = False

    def step(self, done: int) -> Step:
        """The step that comes after ``done`` steps."""
        return self.steps[done] if done < len(self.steps) else FULL

    def size(self, done: int, replicas: int) -> int:
        """How many pods the candidate needs after ``done`` steps: as its share of the load, and at least one."""
        if self.full_size:
            return replicas
        step = self.step(done)
        return min(replicas, max(1, math.ceil(replicas * max(step.weight, step.mirror) / 100)))

    def progress(self, done: int) -> str:
        """The current step and the number of steps: ``2/4``."""
        return f"{min(done, len(self.steps)) + 1}/{len(self.steps) + 1}"


AT_ONCE = RolloutStrategy()


def rollout_strategy(asked: Strategy) -> RolloutStrategy:
    """What ``spec.strategy`` asks for."""
    if asked.recreate is not None:
        return RolloutStrategy(full_size=True, alone=True)
    if asked.blue_green is not None:
        return _blue_green(asked.blue_green)
    return RolloutStrategy(tuple(asked.canary.steps)) if asked.canary is not None else AT_ONCE


def share(ready: int, replicas: int) -> int:
    """The percent of the load that ``ready`` pods can take when ``replicas`` pods carry all of it."""
    return 100 if ready >= replicas else 100 * ready // replicas


def _blue_green(asked: BlueGreen) -> RolloutStrategy:
    first = Step(weight=0, hold=asked.hold, pause=not asked.auto_promote)
    return RolloutStrategy((first,), full_size=True, keep=seconds(asked.keep), preview=True)
