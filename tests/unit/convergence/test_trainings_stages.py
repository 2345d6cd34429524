"""A training whose runs go through stages that are made up converges like any other, and no run is ever repeated."""

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from tests.unit.convergence.test_trainings import TrainingWorld
from tests.unit.convergence.world import PROFILE, case_of
from tests.unit.training.stages.made_up import an_order_of_five

OPTIONAL = ("--data", "--check", "--gate")


class StagesWorld(TrainingWorld):
    """A training that may want a stage before training, one after it, and a gate at the end."""

    first_stage, rounds_per_stage, args = "data", 2, OPTIONAL  # runs have twice as many stages to come to their ends
    ROUNDS = 30

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(an_order_of_five())
        super().__init__()

    def teardown(self) -> None:
        """Come to rest, then put the real order back."""
        with self.stack:
            super().teardown()

    @rule(wanted=st.sets(st.sampled_from(OPTIONAL)))
    def other_stages_are_wanted(self, wanted: set[str]) -> None:
        self.the_spec_is_edited({"args": sorted(wanted)})

    @invariant()
    def the_latest_model_is_of_a_run_that_went_through_all_its_stages(self) -> None:
        latest = self._status.latest
        if latest is not None:
            assert latest.artifact is not None
            assert self.finished[self._uid, latest.run]["state"] == "Succeeded"

    @invariant()
    def a_model_that_is_not_published_cannot_be_deployed(self) -> None:
        assert all(record.artifact is None or record.state == "Succeeded" for record in self._status.history)


TestStages = case_of(StagesWorld)
TestStages.settings = settings(PROFILE, max_examples=PROFILE.max_examples // 4)  # type: ignore[attr-defined]
