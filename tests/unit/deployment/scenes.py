"""Scenes that the tests of a rollout begin with."""

from tests.builders import Scene, a_deployment, a_trained, a_workload
from tests.builders.deployments import Deployment

OTHER = "b" * 64
REVISION = "lamplighter.dev/revision"


def coming_up(deployment: Deployment | None = None) -> Scene:
    """The first revision has its Deployment, no pod is ready."""
    return Scene(deployment or a_deployment(), a_trained().with_model(1)).settle()


def serving(deployment: Deployment | None = None) -> Scene:
    """The first revision serves."""
    scene = coming_up(deployment)
    return ready(scene, only(scene)).settle()


def with_candidate(deployment: Deployment | None = None) -> tuple[Scene, str, str]:
    """The first revision serves, a second one is coming up: the scene and both names."""
    scene = serving(deployment)
    old = only(scene)
    scene.having(a_trained().with_model(1).with_model(2, OTHER)).settle()
    (new,) = set(scene.names("Deployment")) - {old}
    return scene, old, new


def ready(scene: Scene, name: str, count: int | None = None) -> Scene:
    """So many pods of a Deployment are ready (default: all of them)."""
    return scene.having(a_workload(scene.child("Deployment", name)).ready(count))


def only(scene: Scene) -> str:
    """The name of the only Deployment."""
    (name,) = scene.names("Deployment")
    return name


def served(scene: Scene) -> str:
    """The name of the Deployment that the Service selects."""
    return f"digits-{scene.child('Service', 'digits')['spec']['selector'][REVISION]}"


def stable(scene: Scene) -> str | None:
    """The name of the Deployment that the status calls stable."""
    entry = scene.obj["status"].get("stable")
    return f"digits-{entry['revision']}" if entry else None


def candidate(scene: Scene) -> str | None:
    """The name of the Deployment that the status calls the candidate."""
    entry = scene.obj["status"].get("candidate")
    return f"digits-{entry['revision']}" if entry else None
