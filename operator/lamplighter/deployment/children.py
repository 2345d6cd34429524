"""What has to exist for a status: revisions with their pods and Services, the router, and what it is told. Pure."""

import math
from dataclasses import dataclass, field

from lamplighter.api.deployment import DeploymentStatus
from lamplighter.core.naming import CONFIG
from lamplighter.core.objects import Obj, annotations
from lamplighter.deployment import strategy
from lamplighter.deployment.rollout.advance import Goal
from lamplighter.deployment.serving import revision, workload
from lamplighter.deployment.serving.health import existing, in_the_way
from lamplighter.deployment.serving.revision import Revision
from lamplighter.deployment.traffic import split
from lamplighter.deployment.traffic.envoy import router
from lamplighter.deployment.traffic.split import Routers
from lamplighter.deployment.traffic.types import Traffic
from lamplighter.deployment.view import DeploymentView


@dataclass
class Work:
    """Objects to create and partial objects to merge. ``revisions`` come before everything else."""

    revisions: list[Obj] = field(default_factory=list)
    create: list[Obj] = field(default_factory=list)
    patch: list[Obj] = field(default_factory=list)


def needed(
    view: DeploymentView, draft: DeploymentStatus, target: Goal | None, routers: Routers, newest: Revision | None
) -> Work:
    """What is missing or differs. ``newest``: the revision to be frozen if it is not yet."""
    work = Work()
    if newest is not None and revision.find(view.snapshot, newest.name) is None:
        work.revisions.append(revision.freeze(view.snapshot, newest))
    follow = draft.router.verified and routers.lingering_follow
    for name, size in _sizes(view, draft, target, follow).items():
        found = newest if newest is not None and newest.name == name else revision.find(view.snapshot, name)
        _sustain(view, name, found, size, work)
    if draft.stable is not None or draft.candidate is not None or draft.retiring:
        _route(view, draft, routers, work)
    return work


def configured(view: DeploymentView, draft: DeploymentStatus) -> list[Obj]:
    """Only what tells the routers of the split."""
    work = Work()
    _configure(view, draft, split.traffic(view, draft), work)
    return work.patch


def _sizes(view: DeploymentView, draft: DeploymentStatus, target: Goal | None, follow: bool) -> dict[str, int]:
    """How many pods each revision is to have; one that is going keeps what it has.

    ``follow``: no router pod, ready or not, may still have another split than the newest.
    """
    stable, candidate = draft.stable, draft.candidate
    way = target.course if target is not None else strategy.of(view.spec.strategy)
    # Where there is no room for two, pods of what is going end at once, whether or not routers can be asked.
    leaving = draft.retiring if way.alone else []
    sizes = {one.revision: 0 for one in leaving if existing(view.snapshot, one.revision)}
    if stable is not None:
        makes_room = way.alone and (candidate is None or candidate.weight > 0)
        absent = not existing(view.snapshot, stable.revision)
        waits = makes_room and absent and in_the_way(view, stable.revision)
        sizes[stable.revision] = 0 if waits else view.replicas
    if candidate is None or target is None or candidate.revision != target.revision.name:
        return sizes
    if stable is not None and way.alone and (candidate.weight or not draft.paused):
        sizes[stable.revision] = 0  # to make room
    if way.alone and in_the_way(view, candidate.revision):
        return sizes
    carrying = math.ceil(view.replicas * candidate.weight / 100)
    alone = way.alone or stable is None
    size = view.replicas if alone else max(carrying, way.size(candidate.step, view.replicas))
    before = view.snapshot.owned("Deployment", revision.object_name(view.snapshot.name, candidate.revision))
    if before is not None and not follow:
        size = max(size, before["spec"].get("replicas") or 0)  # some router may still have a higher weight
    sizes[candidate.revision] = size
    return sizes


def _sustain(view: DeploymentView, revised: str, wanted: Revision | None, size: int, work: Work) -> None:
    """See to it that a revision has its Service, and its Deployment of this size. ``wanted``: None when forgotten."""
    name = revision.object_name(view.snapshot.name, revised)
    found = view.snapshot.owned("Deployment", name)
    if found is None:
        if wanted is None:
            return
        work.create.append(workload.deployment(view.snapshot, wanted, size, view.options.torchserve_image))
    elif found["spec"].get("replicas") != size:
        work.patch.append(workload.scale(found, size))
    if view.snapshot.owned("Service", name) is None:
        work.create.append(router.headless(view.snapshot, revised))
    if view.replicas > 1 and view.snapshot.owned("PodDisruptionBudget", name) is None:
        work.create.append(workload.disruption_budget(view.snapshot, revised))


def _route(view: DeploymentView, draft: DeploymentStatus, routers: Routers, work: Work) -> None:
    """See to it that the router stands, has its configuration, and gets the requests."""
    snapshot, wanted = view.snapshot, split.traffic(view, draft)
    _configure(view, draft, wanted, work)
    _stand(view, draft, work)
    if wanted.preview is not None and snapshot.owned("Service", f"{snapshot.name}-preview") is None:
        work.create.append(router.preview_service(snapshot))
    service, public = snapshot.owned("Service", snapshot.name), router.service(snapshot)
    if service is None:
        work.create.append(public)
    elif service["spec"].get("selector") != public["spec"]["selector"]:
        if routers.verified:  # until then it selects the pods of a revision, as the version without routers had it
            work.patch.append(workload.repoint(service, public))
        return
    if snapshot.owned("NetworkPolicy", snapshot.name) is None:
        work.create.append(router.network_policy(snapshot))


def _stand(view: DeploymentView, draft: DeploymentStatus, work: Work) -> None:
    """The router's pods, of the number that the spec asks for."""
    spec, image = view.spec.router, view.options.router_image
    found = view.snapshot.owned("Deployment", router.deployment_name(view.snapshot, spec))
    if found is None:
        options = split.options(view, draft)
        work.create.append(router.deployment(view.snapshot, spec, options, image, draft.router.config or ""))
    elif found["spec"].get("replicas") != spec.replicas:
        work.patch.append(workload.scale(found, spec.replicas))
    budget = router.disruption_budget(view.snapshot)
    if spec.replicas > 1 and view.snapshot.owned("PodDisruptionBudget", budget["metadata"]["name"]) is None:
        work.create.append(budget)


def _configure(view: DeploymentView, draft: DeploymentStatus, wanted: Traffic, work: Work) -> None:
    """Write the configuration down, and have the kubelets bring it to the router pods at once."""
    options, version = split.options(view, draft), draft.router.config or ""
    found = view.snapshot.owned("ConfigMap", router.router_name(view.snapshot.name))
    if found is None:
        work.create.append(router.config_map(view.snapshot, wanted, options, version))
    elif annotations(found).get(CONFIG) != version:
        work.patch.append(router.configure(found, wanted, options, version))
    for pod in router.pods(view.snapshot):
        if annotations(pod).get(CONFIG) != version and "deletionTimestamp" not in pod["metadata"]:
            work.patch.append(router.kick(pod, version))
