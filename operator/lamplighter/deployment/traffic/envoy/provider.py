"""The first traffic provider: Envoy pods for each deployment, which read their configuration from a ConfigMap. Pure."""

from lamplighter.api.failures import Failure
from lamplighter.core.naming import CONFIG
from lamplighter.core.objects import Obj, Ref, annotations, partial
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving import workload
from lamplighter.deployment.serving.contract import endpoint
from lamplighter.deployment.traffic.envoy import health, pods, router
from lamplighter.deployment.traffic.provider import Changes, TrafficProvider
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.verification import Routers
from lamplighter.deployment.view import DeploymentView


class EnvoyRouters(TrafficProvider):
    """See :class:`TrafficProvider`."""

    router = "router pod"

    def questions(self, view: DeploymentView) -> list[Ref]:
        """The router pods that have to be asked."""
        return pods.questions(view)

    def written(self, snapshot: Snapshot) -> str | None:
        """The version that the ConfigMap has."""
        found = _config_map(snapshot)
        return annotations(found).get(CONFIG) if found is not None else None

    def look(self, view: DeploymentView, split: Split) -> Routers:
        """Hold what the router pods said against the split."""
        return pods.look(view, split)

    def objects(self, view: DeploymentView, split: Split, routers: Routers) -> Changes:
        """The ConfigMap, the router pods with their budget, the Services in front, and the NetworkPolicy."""
        changes, snapshot = self.configuration(view, split), view.snapshot
        _add_pods(view, split, changes)
        if split.traffic.preview is not None and snapshot.owned("Service", router.preview_name(snapshot)) is None:
            changes.create.append(router.preview_service(snapshot))
        service = snapshot.owned("Service", snapshot.name)
        if service is None:
            changes.create.append(router.service(snapshot))
        elif not self.in_charge(snapshot):
            if routers.verified:  # until then it selects a revision's pods, as an operator without routers set it up
                changes.patch.append(_repointed(service, router.service(snapshot)))
            return changes
        if snapshot.owned("NetworkPolicy", snapshot.name) is None:
            changes.create.append(router.network_policy(snapshot))
        return changes

    def configuration(self, view: DeploymentView, split: Split) -> Changes:
        """Write the configuration down, and have the kubelets bring it to the router pods at once."""
        changes, found = Changes(), _config_map(view.snapshot)
        if found is None:
            changes.create.append(router.config_map(view.snapshot, split))
        elif annotations(found).get(CONFIG) != split.version:
            changes.patch.append(router.configure(found, split))
        for pod in router.pods(view.snapshot):
            if annotations(pod).get(CONFIG) != split.version and "deletionTimestamp" not in pod["metadata"]:
                changes.patch.append(router.kick(pod, split.version))
        return changes

    def endpoint(self, snapshot: Snapshot) -> str:
        """The URL of the Service in front of the router pods."""
        return endpoint(snapshot.name, snapshot.namespace)

    def in_charge(self, snapshot: Snapshot) -> bool:
        """True when the Service that people send requests to selects the router pods."""
        found = snapshot.owned("Service", snapshot.name)
        return found is not None and found["spec"].get("selector") == router.service(snapshot)["spec"]["selector"]

    def stale(self, view: DeploymentView, split: Split) -> list[Obj]:
        """Router pods for which others have taken over, and the preview's Service when nothing is previewed."""
        preview = view.snapshot.owned("Service", router.preview_name(view.snapshot))
        unused = [preview] if preview is not None and split.traffic.preview is None else []
        return [*health.relieved(view), *unused]

    def obstacle(self, view: DeploymentView) -> Failure | None:
        """What keeps a router pod from being ready."""
        return health.obstacle(view.snapshot)

    def missing(self, view: DeploymentView) -> str:
        """How many of the router pods that the spec asks for are ready; empty when all are."""
        return health.missing(view)


ENVOY = EnvoyRouters()


def _config_map(snapshot: Snapshot) -> Obj | None:
    return snapshot.owned("ConfigMap", router.router_name(snapshot.name))


def _add_pods(view: DeploymentView, split: Split, changes: Changes) -> None:
    """The router pods, as many as the spec asks for."""
    asked, snapshot = view.spec.router, view.snapshot
    found = snapshot.owned("Deployment", router.deployment_name(snapshot, asked))
    if found is None:
        changes.create.append(router.deployment(snapshot, asked, split, view.options.router_image))
    elif found["spec"].get("replicas") != asked.replicas:
        changes.patch.append(workload.scale(found, asked.replicas))
    budget = router.disruption_budget(snapshot)
    if asked.replicas > 1 and snapshot.owned("PodDisruptionBudget", budget["metadata"]["name"]) is None:
        changes.create.append(budget)


def _repointed(service: Obj, wanted: Obj) -> Obj:
    """The patch that makes a Service select what another would, and by nothing else."""
    strange = dict.fromkeys(service["spec"].get("selector") or {})  # null removes a key that a merge would leave
    return partial(service, spec={"selector": strange | wanted["spec"]["selector"], "ports": wanted["spec"]["ports"]})
