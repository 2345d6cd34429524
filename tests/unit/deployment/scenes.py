"""Scenes that the tests of a rollout begin with."""

from tests.builders import Scene, a_deployment, a_trained, a_workload
from tests.builders.deployments import Deployment
from tests.builders.objects import Obj
from tests.builders.routers import ENVOYS

OTHER = "b" * 64
STEPS: list[Obj] = [{"weight": 20, "hold": "60s"}, {"weight": 50, "hold": "60s"}]
BLUE_GREEN = {"blueGreen": {"keep": "300s"}}
CARRIER = ENVOYS
"""What carries the requests; the fixture ``each_provider`` has a test run with another one, too."""


def coming_up(deployment: Deployment | None = None) -> Scene:
    """The first revision has its Deployment, no pod is ready."""
    scene = Scene(deployment or a_deployment(), a_trained().with_model(1), cluster=CARRIER.follow)
    scene.provider = CARRIER.provider
    return scene.settle()


def serving(deployment: Deployment | None = None) -> Scene:
    """The first revision serves."""
    scene = coming_up(deployment)
    return ready(scene, only(scene)).settle()


def with_candidate(deployment: Deployment | None = None) -> tuple[Scene, str, str]:
    """The first revision serves, a second one is coming up: the scene and both names."""
    scene = serving(deployment)
    old = only(scene)
    scene.having(a_trained().with_model(1).with_model(2, OTHER)).settle()
    (new,) = set(workloads(scene)) - {old}
    return scene, old, new


def ready(scene: Scene, name: str, count: int | None = None) -> Scene:
    """So many pods of a Deployment are ready (default: all of them)."""
    return scene.having(a_workload(scene.child("Deployment", name)).ready(count))


def over(scene: Scene) -> Scene:
    """Time enough for the last requests to be answered."""
    return scene.later(5).settle()


def workloads(scene: Scene) -> list[str]:
    """The names of the revisions' Deployments."""
    return [name for name in scene.names("Deployment") if "-router-" not in name]


def active(scene: Scene, name: str, count: int) -> Scene:
    """Every router pod counts so many requests that a revision is answering."""
    scene.cluster = lambda scene: CARRIER.follow(scene, {name.removeprefix("digits-"): count})
    return scene


def lagging(scene: Scene) -> Scene:
    """The routers do nothing that they are told any more: they stay at an earlier version."""
    return stuck(scene, "0-00000000")


def stuck(scene: Scene, version: str) -> Scene:
    """The routers stay at this version, and see which pods are ready."""
    scene.cluster = lambda scene: CARRIER.stuck(scene, version)
    return scene


def only(scene: Scene) -> str:
    """The name of the only revision's Deployment."""
    (name,) = workloads(scene)
    return name


def weights(scene: Scene) -> dict[str, int]:
    """What the router pods were told last: percent of the requests by Deployment."""
    return {f"digits-{name}": weight for name, weight in CARRIER.shares(scene).items()}


def served(scene: Scene) -> str:
    """The name of the Deployment that gets most of the requests."""
    split = weights(scene)
    return max(split, key=lambda name: split[name])


def stable(scene: Scene) -> str | None:
    """The name of the Deployment that the status calls stable."""
    entry = scene.obj["status"].get("stable")
    return f"digits-{entry['revision']}" if entry else None


def candidate(scene: Scene) -> str | None:
    """The name of the Deployment that the status calls the candidate."""
    entry = scene.obj["status"].get("candidate")
    return f"digits-{entry['revision']}" if entry else None


def rolling(*steps: Obj, replicas: int = 4, strategy: Obj | None = None) -> tuple[Scene, str, str]:
    """A revision serves with four pods, and a second one begins its steps: the scene and both names."""
    chosen = strategy or {"canary": {"steps": [*steps] or STEPS}}
    scene = serving(a_deployment().replicas(replicas).spec(strategy=chosen))
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (new,) = set(workloads(scene)) - {old}
    return scene, old, new


def stepping(*steps: Obj, replicas: int = 4) -> tuple[Scene, str, str]:
    """The candidate has its first weight, as many pods as that takes, and holds."""
    scene, old, new = rolling(*steps, replicas=replicas)
    return ready(scene, new).settle(), old, new


def size(scene: Scene, name: str) -> int:
    """How many pods a revision is to have."""
    return int(scene.child("Deployment", name)["spec"]["replicas"])


def step(scene: Scene) -> str:
    """What the STEP column shows."""
    return str(scene.obj["status"]["candidate"]["progress"])
