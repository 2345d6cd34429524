"""The kinds that the operator uses: where the API serves them, and the verbs that the operator needs.

``VERBS`` is exactly what the RBAC rules in manifests/base must grant; a test compares them.
"""

from dataclasses import dataclass

from lamplighter.api import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind: its place in the API, and the verbs that the operator uses on it."""

    kind: str
    group: str
    version: str
    plural: str
    verbs: frozenset[str]
    namespaced: bool = True

    @property
    def path(self) -> str:
        """The prefix of its URLs."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def watched(self) -> bool:
        """True when the index keeps a copy of every object of this kind that is ours."""
        return "watch" in self.verbs


def _resource(kind: str, group: str, version: str, plural: str, verbs: str, *, namespaced: bool = True) -> Resource:
    return Resource(kind, group, version, plural, frozenset(verbs.split()), namespaced)


_READ = "get list watch"
PRIMARY = ("ModelTraining", "ModelDeployment")
"""The kinds that users write; the operator creates the others."""

RESOURCES: dict[str, Resource] = {
    entry.kind: entry
    for entry in (
        _resource("ModelTraining", GROUP, VERSION, "modeltrainings", _READ),
        _resource("ModelDeployment", GROUP, VERSION, "modeldeployments", _READ),
        _resource("Job", "batch", "v1", "jobs", f"{_READ} create patch delete"),
        _resource("Pod", "", "v1", "pods", f"{_READ} patch delete"),
        _resource("Node", "", "v1", "nodes", _READ, namespaced=False),
        _resource("Service", "", "v1", "services", f"{_READ} create patch delete"),
        _resource("ConfigMap", "", "v1", "configmaps", f"{_READ} create patch delete"),
        _resource("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", f"{_READ} create"),
        _resource("ControllerRevision", "apps", "v1", "controllerrevisions", f"{_READ} create delete"),
        _resource("Deployment", "apps", "v1", "deployments", f"{_READ} create patch delete"),
        _resource("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets", f"{_READ} create delete"),
        _resource("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies", f"{_READ} create"),
        _resource("TokenReview", "authentication.k8s.io", "v1", "tokenreviews", "create", namespaced=False),
        _resource("Event", "events.k8s.io", "v1", "events", "create list"),
    )
}

VERBS: dict[str, set[str]] = {f"{entry.group}/{entry.plural}": set(entry.verbs) for entry in RESOURCES.values()} | {
    f"{GROUP}/modeltrainings/status": {"update"},
    f"{GROUP}/modeldeployments/status": {"update"},
    f"{GROUP}/modeltrainings/finalizers": {"update"},
    f"{GROUP}/modeldeployments/finalizers": {"update"},
}
"""``group/plural[/subresource]`` -> verbs. ``finalizers`` is needed where blockOwnerDeletion is enforced."""
