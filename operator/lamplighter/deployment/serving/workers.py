"""How many workers serve in a pod, and what they have to compute with."""

from math import ceil, floor

from lamplighter.api.common import Resources
from lamplighter.api.deployment import Runtime
from lamplighter.core.resources import accelerators, cpus

MOST = 64
"""Of the workers of a pod; see the schema."""


def workers(runtime: Runtime, resources: Resources) -> int:
    """What the user says; otherwise one for each GPU, otherwise one for each whole processor, at least one.

    A worker is a Python process with one interpreter lock that answers one batch at a time: a second one on the same
    GPU only competes for its memory, and fewer than there are processors leave some idle while requests wait.
    """
    if runtime.workers is not None:
        return runtime.workers
    return min(gpus(resources) or max(floor(cpus(resources) or 1), 1), MOST)


def gpus(resources: Resources) -> int:
    """The accelerators of a pod; MIG slices count as GPUs do."""
    return sum(accelerators(resources).values())


def processors(resources: Resources) -> int | None:
    """How many threads may compute at a time, a part of a processor counting as one; None where nothing is said."""
    known = cpus(resources)
    return None if known is None else max(ceil(known), 1)
