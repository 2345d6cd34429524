"""What happened to a rollout between two statuses, as the Events that `kubectl describe` lists. Pure.

actions.py has the Events of annotations, advance.py that of a revision that took over, status.py those of faults.
"""

from collections.abc import Iterator

from lamplighter.api.deployment import CandidateStatus, DeploymentStatus
from lamplighter.core.conditions import READY
from lamplighter.core.plan import Event
from lamplighter.deployment.rollout import history


def transitions(before: DeploymentStatus, after: DeploymentStatus, *, alone: bool = False) -> tuple[Event, ...]:
    """The Events of what changed. Of a first revision there are none: no other revision shares requests with it.

    ``alone``: a revision starts only after the previous one is gone.
    """
    return (*_replaced(before, after), *_candidate(before, after, alone), *_removed(before, after))


def _replaced(before: DeploymentStatus, after: DeploymentStatus) -> Iterator[Event]:
    for line in reversed(after.history):
        if line not in before.history and line.outcome == history.REPLACED:
            yield Event("Normal", "Replaced", f"revision {line.revision} was replaced: {line.reason}")


def _candidate(before: DeploymentStatus, after: DeploymentStatus, alone: bool) -> Iterator[Event]:
    entry, earlier, stable = after.candidate, before.candidate, after.stable
    if entry is None or stable is None:
        return
    fresh = earlier is None or earlier.revision != entry.revision
    if fresh:
        place = "when all other pods have terminated" if alone else f"beside {stable.revision}"
        yield Event("Normal", "RolloutStarted", f"revision {entry.revision} starts {place}")
    was = (0, 0) if earlier is None or fresh else (earlier.weight, earlier.mirror)
    if (entry.weight, entry.mirror) != was:
        yield Event("Normal", "WeightChanged", f"step {entry.progress}: {_share(entry)} ({was[0]} % before)")
    if after.state == "Paused" != before.state and not after.paused:
        yield Event("Normal", "Waiting", next(one.message for one in after.conditions if one.type == READY))


def _removed(before: DeploymentStatus, after: DeploymentStatus) -> Iterator[Event]:
    left = {one.revision for one in (*after.retiring, after.candidate, after.stable) if one is not None}
    for one in before.retiring:
        if one.revision not in left:
            yield Event(
                "Normal", "Removed", f"revision {one.revision} was removed: no router sends requests to it any more"
            )


def _share(entry: CandidateStatus) -> str:
    copied = f" and a copy of {entry.mirror} %" if entry.mirror else ""
    return f"revision {entry.revision} gets {entry.weight} % of the requests{copied}"
