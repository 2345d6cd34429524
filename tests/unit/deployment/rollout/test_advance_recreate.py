"""Recreate: a rollout without room for two, forwards and backwards, and whoever is there meanwhile."""

import pytest
from tests.builders import Scene, a_deployment, a_pod
from tests.builders.objects import at
from tests.unit.deployment.scenes import (
    BLUE_GREEN,
    active,
    candidate,
    lagging,
    only,
    over,
    ready,
    rolling,
    serving,
    size,
    stable,
    weights,
    workloads,
)

pytestmark = pytest.mark.usefixtures("each_provider")


def recreating(count: int) -> tuple[Scene, str, str]:
    """The old revision made room, and so many of four pods of the new one are ready: the scene and both names."""
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    scene.having({**scene.child("Deployment", old), "status": {"replicas": 0, "observedGeneration": 9}}).settle()
    new = candidate(scene) or ""
    return ready(scene, new, count), old, new


def gone(scene: Scene, name: str) -> Scene:
    """All pods of a Deployment have gone."""
    workload = scene.child("Deployment", name)
    workload["status"] = {"replicas": 0, "observedGeneration": workload["metadata"]["generation"]}
    return scene.having(workload)


def test_recreate_stops_the_old_revision_first() -> None:
    scene = serving(a_deployment().replicas(4).spec(strategy={"recreate": {}}))
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    assert (size(scene, old), workloads(scene)) == (0, [old])
    assert scene.told("Ready")[2].endswith(f"the pods of {old.removeprefix('digits-')} must terminate first")
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
    assert scene.told("Available") == ("True", "Serving", "1 pod answers")


def test_what_alone_answers_is_not_given_up_for_a_third_revision() -> None:
    scene, old, new = recreating(2)
    assert (weights(scene.settle()), stable(scene)) == ({new: 100}, old)
    scene.edit(runtime={"workers": 3}, strategy={}).settle()
    assert (weights(scene), stable(scene)) == ({new: 100}, new)
    assert candidate(scene) not in (None, old, new)


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


def test_an_aborted_recreate_makes_room_for_the_old_revision_first() -> None:
    scene, old, new = recreating(3)
    scene.settle()
    assert weights(scene) == {new: 100}
    scene.annotate(abort="1").settle()
    assert (weights(scene), size(scene, old)) == ({old: 100}, 0)
    over(scene)
    assert (workloads(scene), size(scene, old)) == ([old], 4)


def test_a_change_of_strategy_in_the_middle_sends_no_more_to_the_old_revision_than_its_pods_can_take() -> None:
    scene, old, new = recreating(4)
    scene.edit(strategy={"canary": {"steps": [{"weight": 20, "pause": True}]}}).settle()
    assert weights(scene) == {new: 100}
    assert weights(ready(scene, old, 1).settle()) == {old: 25, new: 75}
    assert scene.later(1).plan().empty
    assert weights(ready(scene, old).settle()) == {old: 80, new: 20}


def test_no_router_has_to_answer_before_room_is_made_on_the_way_back() -> None:
    scene, old, new = recreating(3)
    lagging(scene.settle()).annotate(abort="1").settle()
    assert (size(scene, new), size(scene, old)) == (0, 0)
    gone(scene, new).settle()
    assert (weights(scene), size(scene, old)) == ({old: 100}, 4)
    assert new in workloads(scene.later(3600).settle()), "a router may send to it"


def test_an_abort_says_what_is_waited_for() -> None:
    scene, old, new = recreating(3)
    message = scene.settle().annotate(abort="1").settle().told("Ready")[2]
    name = new.removeprefix("digits-")
    assert f"{old.removeprefix('digits-')} is to serve: " in message
    assert f"the pods of {name} must terminate first" in message
    ready(over(gone(scene, new)), old).settle()
    assert "digits- serves. Change" not in scene.told("Ready")[2]
    assert f"{old.removeprefix('digits-')} serves. Change" in scene.told("Ready")[2]


def test_what_answers_stays_when_there_is_no_model_any_more() -> None:
    scene, old, new = recreating(3)
    scene.settle().without("ModelTraining", "digits").settle()
    assert (weights(scene), size(scene, old), size(scene, new)) == ({new: 100}, 0, 4)
    assert scene.told("Available")[0] == "True"
    assert scene.waits() == 10


def test_a_pause_holds_when_the_old_pods_are_gone_for_a_moment() -> None:
    scene = serving(a_deployment().replicas(1).spec(strategy={"recreate": {}})).annotate(pause="1").settle()
    old = only(scene)
    gone(scene.edit(runtime={"workers": 2}).settle(), old).settle()
    assert (weights(scene), size(scene, old)) == ({old: 100}, 1)


def test_a_paused_candidate_with_pods_takes_no_room_from_what_serves() -> None:
    scene, old, new = rolling({"weight": 0, "pause": True}, replicas=1)
    ready(scene, new).settle()
    scene.annotate(pause="1").edit(strategy={"recreate": {}}).settle()
    gone(scene, old).settle()
    assert (weights(scene), size(scene, old)) == ({old: 100}, 1)


def test_a_canary_that_held_is_late_as_any_when_it_becomes_a_recreate() -> None:
    scene, old, new = rolling({"weight": 50, "hold": "1h"})
    ready(scene, new).settle()
    gone(scene.edit(strategy={"recreate": {}}).settle(), old).settle()
    ready(scene, new, 2).settle()
    assert scene.told("Ready")[1] == "RollingOut"
    assert scene.later(3600).settle().told("Ready")[1] == "ProgressDeadlineExceeded"
