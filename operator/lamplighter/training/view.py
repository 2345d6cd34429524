"""A training as it was read, and the operator's settings for trainings."""

from dataclasses import dataclass

from lamplighter.api.training import TrainingSpec, TrainingStatus
from lamplighter.core.view import View


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Settings that a plan depends on.

    ``progress_url``: where pods send reports; empty: they send none. ``node_grace``: seconds that a Node may be
    NotReady before its pods count as lost. ``bad_node_conditions``: types of Node conditions that mean broken hardware
    when they are True.
    """

    progress_url: str = ""
    node_grace: float = 15.0
    bad_node_conditions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TrainingView(View[TrainingSpec, TrainingStatus]):
    """A snapshot of a ModelTraining, parsed, as of ``now``."""

    options: TrainingOptions = TrainingOptions()
