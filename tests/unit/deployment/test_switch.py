"""Blue-green and recreate: a switch with a preview before and a warm way back after it, and a rollout without room."""

from tests.builders import Scene, a_deployment, a_pod
from tests.builders.objects import at
from tests.unit.deployment.scenes import active, candidate, only, over, ready, serving, stable, weights, workloads
from tests.unit.deployment.test_canary import rolling, size

BLUE_GREEN = {"blueGreen": {"keep": "300s"}}
BY_HAND = {"blueGreen": {"autoPromote": False}}


def gone(scene: Scene, name: str) -> Scene:
    """All pods of a Deployment have gone."""
    workload = scene.child("Deployment", name)
    workload["status"] = {"replicas": 0, "observedGeneration": workload["metadata"]["generation"]}
    return scene.having(workload)


def test_a_green_revision_comes_up_in_full_size_with_a_preview_and_no_request() -> None:
    scene, blue, green = rolling(strategy=BY_HAND)
    assert size(scene, green) == 4
    assert "digits-preview" in scene.names("Service")
    ready(scene, green).settle()
    assert weights(scene) == {blue: 100}
    assert scene.told("Ready")[1] == "Paused"


def test_a_promotion_switches_everything_at_once_and_keeps_the_old_one_warm() -> None:
    scene, blue, green = rolling(strategy=BY_HAND)
    ready(scene, green).settle()
    scene.annotate(promote=green.removeprefix("digits-")).settle()
    assert (weights(scene), stable(scene)) == ({green: 100}, green)
    assert blue in workloads(scene.later(300).settle())
    assert workloads(scene.later(400).settle()) == [green]


def test_without_a_hold_the_switch_comes_when_all_pods_are_ready() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    assert weights(ready(scene, green, 3).settle()) == {blue: 100}
    assert weights(ready(scene, green, 4).settle()) == {green: 100}


def test_an_undo_while_the_old_one_is_warm_needs_no_new_pod() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    ready(scene, green).settle()
    scene.annotate(undo="now").settle()
    assert (weights(scene), stable(scene)) == ({blue: 100}, blue)


def test_recreate_stops_the_old_revision_first() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    assert (size(scene, old), workloads(scene)) == (0, [old])
    assert scene.told("Ready")[2].endswith(f"those of revision {old.removeprefix('digits-')} have to end first")
    gone(scene, old).settle()
    new = candidate(scene)
    assert new is not None
    assert weights(ready(scene, new).settle()) == {new: 100}
    assert stable(scene) == new
    assert workloads(over(scene)) == [new]


def test_a_recreate_is_available_again_with_its_first_pod_that_answers() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    gone(scene.edit(runtime={"workers": 2}).settle(), old).settle()
    assert scene.told("Available")[:2] == ("False", "NothingServes")
    (new,) = set(workloads(scene)) - {old}
    ready(scene, new, 1).settle()
    assert (stable(scene), scene.obj["status"]["readyReplicas"]) == (old, 0)
    assert scene.told("Available") == ("True", "Serving", "1 pods answer")


def test_recreate_waits_for_the_last_old_pod_unless_its_node_is_lost() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    pod = a_pod(scene.child("Deployment", old)).ready().meta(deletionTimestamp=at(30))
    scene.having(pod).edit(runtime={"workers": 2}).settle()
    gone(scene, old).settle()
    assert workloads(scene) == [old]
    assert workloads(scene.later(60).settle()) != [old]


def test_recreate_waits_for_a_candidate_that_it_replaces() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    gone(scene.edit(runtime={"workers": 2}).settle(), old).settle()
    (broken,) = set(workloads(scene)) - {old}
    ready(scene, broken, 0).edit(runtime={"workers": 3}).act()
    assert workloads(scene) == sorted([old, broken])
    over(gone(scene, broken))
    assert broken not in workloads(scene)
    assert size(scene, str(candidate(scene))) == 4


def test_recreate_waits_for_pods_of_a_revision_that_nothing_tells_of_any_more() -> None:
    scene, old, new = rolling(replicas=1)
    pod = a_pod(scene.child("Deployment", new)).ready().meta(deletionTimestamp=at(30))
    over(scene.annotate(abort="1").settle())
    assert workloads(scene) == [old]
    gone(scene.having(pod).edit(runtime={"workers": 3}, strategy={"recreate": {}}).settle(), old).settle()
    assert workloads(scene) == [old]
    scene.without("Pod", pod.obj()["metadata"]["name"]).settle()
    assert workloads(scene) != [old]


def test_recreate_waits_for_a_revision_that_was_kept_warm() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    ready(scene, green).settle()
    gone(active(scene, blue, 1).edit(runtime={"workers": 3}, strategy={"recreate": {}}).settle(), green).settle()
    assert workloads(scene) == sorted([blue, green])
    over(gone(active(scene, blue, 0), blue))
    assert blue not in workloads(scene)
    assert size(scene, str(candidate(scene))) == 4


def test_an_old_pod_that_was_evicted_long_ago_holds_no_recreate_up() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    scene.having(a_pod(scene.child("Deployment", old)).evicted("Evicted", "low on memory"))
    scene.edit(runtime={"workers": 2}).settle()
    assert workloads(gone(scene, old).settle()) != [old]


def test_recreate_stops_nothing_while_it_is_paused() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}})).annotate(pause="1").settle()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    assert size(scene, old) == 4
    assert size(scene.annotate(resume="1").settle(), old) == 0
