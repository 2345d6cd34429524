"""Hypothesis draws the same examples in every run: a red test is the change's doing. `make fuzz` draws others."""

from hypothesis import settings

# No deadline: a busy machine is no failure.
settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("fuzz", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("same")
