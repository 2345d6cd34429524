"""What has to exist for a status: the revisions, each with its pods, its Service and its disruption budget. Pure.

What carries the requests to them is the traffic provider's (traffic/provider.py).
"""

import math
from dataclasses import dataclass, field

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.objects import Obj
from lamplighter.deployment.rollout.advance import Target
from lamplighter.deployment.serving import revision, workload
from lamplighter.deployment.serving.health import existing, in_the_way
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.strategy import rollout_strategy
from lamplighter.deployment.view import DeploymentView


@dataclass
class Children:
    """Objects to create and partial objects to merge. ``revisions`` come before everything else."""

    revisions: list[Obj] = field(default_factory=list)
    create: list[Obj] = field(default_factory=list)
    patch: list[Obj] = field(default_factory=list)


def needed(
    view: DeploymentView, draft: DeploymentStatus, target: Target | None, newest: Revision | None, *, confirmed: bool
) -> Children:
    """What is missing or differs.

    ``newest``: the revision that the spec asks for, to be frozen if it is not yet.
    ``confirmed``: every router, ready or not, has the newest split.
    """
    children = Children()
    if newest is not None and revision.find(view.snapshot, newest.name) is None:
        children.revisions.append(revision.freeze(view.snapshot, newest))
    for name, size in _sizes(view, draft, target, confirmed).items():
        found = newest if newest is not None and newest.name == name else revision.find(view.snapshot, name)
        _add_missing(view, name, found, size, children)
    return children


def _sizes(view: DeploymentView, draft: DeploymentStatus, target: Target | None, confirmed: bool) -> dict[str, int]:
    """How many pods each revision is to have; one that retires keeps what it has."""
    stable, candidate = draft.stable, draft.candidate
    strategy = target.strategy if target is not None else rollout_strategy(view.spec.strategy)
    # With recreate, pods of retiring revisions stop at once, even if routers cannot be asked.
    leaving = draft.retiring if strategy.alone else []
    sizes = {one.revision: 0 for one in leaving if existing(view.snapshot, one.revision)}
    if stable is not None:
        makes_room = strategy.alone and (candidate is None or candidate.weight > 0)
        absent = not existing(view.snapshot, stable.revision)
        waits = makes_room and absent and in_the_way(view, stable.revision)
        sizes[stable.revision] = 0 if waits else view.replicas
    if candidate is None or target is None or candidate.revision != target.revision.name:
        return sizes
    if stable is not None and strategy.alone and (candidate.weight or not draft.paused):
        sizes[stable.revision] = 0  # to make room
    if strategy.alone and in_the_way(view, candidate.revision):
        return sizes
    carrying = math.ceil(view.replicas * candidate.weight / 100)
    alone = strategy.alone or stable is None
    size = view.replicas if alone else max(carrying, strategy.size(candidate.step, view.replicas))
    before = view.snapshot.owned("Deployment", revision.object_name(view.snapshot.name, candidate.revision))
    if before is not None and not confirmed:
        size = max(size, before["spec"].get("replicas") or 0)  # some router may still have a higher weight
    sizes[candidate.revision] = size
    return sizes


def _add_missing(view: DeploymentView, revised: str, wanted: Revision | None, size: int, children: Children) -> None:
    """Add what a revision lacks. ``wanted``: None when no ControllerRevision remembers it. ``size``: in pods."""
    name = revision.object_name(view.snapshot.name, revised)
    found = view.snapshot.owned("Deployment", name)
    if found is None:
        if wanted is None:
            return
        children.create.append(workload.deployment(view.snapshot, wanted, size, view.options.torchserve_image))
    elif found["spec"].get("replicas") != size:
        children.patch.append(workload.scale(found, size))
    if view.snapshot.owned("Service", name) is None:
        children.create.append(workload.service(view.snapshot, revised))
    if view.replicas > 1 and view.snapshot.owned("PodDisruptionBudget", name) is None:
        children.create.append(workload.disruption_budget(view.snapshot, revised))
