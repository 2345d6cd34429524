"""What serves is never given up for what does not, whatever routers, pods and people do."""

from tests.builders import Scene, a_deployment, a_trained, a_workload
from tests.builders.objects import Obj
from tests.builders.routers import ready_pods, router_says, routers_follow, version
from tests.unit.deployment.scenes import (
    active,
    candidate,
    coming_up,
    lagging,
    only,
    over,
    ready,
    rolling,
    served,
    serving,
    size,
    stable,
    stuck,
    weights,
    with_candidate,
    workloads,
)


def routers(scene: Scene) -> list[str]:
    """The names of the router pods."""
    return [name for name in scene.names("Pod") if "-router-" in name]


def unready(pod: Obj) -> Obj:
    """A pod that runs and is not ready."""
    return {**pod, "status": {**pod["status"], "conditions": [{"type": "Ready", "status": "False"}]}}


def one_lingers(scene: Scene) -> str:
    """A router pod of two is not ready any more, runs on with an old split, and everybody knows it: its name."""
    name = routers(scene)[0]
    scene.having(unready(scene.child("Pod", name)))
    scene.related["RouterStatus", name] = router_says("00000000", {})
    other = next(each for each in routers(scene) if each != name)

    def follow(scene: Scene) -> None:
        scene.related["RouterStatus", other] = router_says(version(scene), ready_pods(scene))

    scene.cluster = follow
    (deployment,) = (each for each in scene.names("Deployment") if "-router-" in each)
    scene.children["Deployment", deployment]["status"] = {"readyReplicas": 1}
    return name


def test_a_candidate_keeps_its_pods_while_a_router_pod_that_is_not_ready_may_send_it_more() -> None:
    scene, old, new = rolling({"weight": 100}, {"weight": 25, "pause": True})
    ready(scene, new)
    name = one_lingers(scene)
    scene.settle()
    assert (weights(scene), size(scene, new)) == ({old: 75, new: 25}, 4)
    assert size(scene.without("Pod", name).later(1).settle(), new) == 1


def test_a_weight_waits_for_routers_that_do_not_see_the_pods_yet() -> None:
    scene, old, new = rolling({"weight": 50})
    scene.cluster = lambda scene: scene.related.update(
        {("RouterStatus", name): router_says(version(scene), {}) for name in routers(scene)}
    )
    assert weights(ready(scene, new).settle()) == {old: 100}


def test_a_weight_waits_for_a_router_pod_that_is_counted_and_not_known() -> None:
    scene, old, new = rolling({"weight": 50})
    (deployment,) = (each for each in scene.names("Deployment") if "-router-" in each)
    follow = scene.cluster

    def count(scene: Scene) -> None:
        follow(scene)
        scene.children["Deployment", deployment]["status"]["readyReplicas"] = 3

    scene.cluster = count
    assert weights(ready(scene, new).settle()) == {old: 100}


def test_every_router_pod_is_told_to_look_at_once_when_the_split_changes() -> None:
    scene, _, new = rolling({"weight": 50})
    before = version(scene)
    ready(scene, new).settle()
    assert version(scene) != before
    told = {scene.child("Pod", name)["metadata"]["annotations"]["lamplighter.dev/config"] for name in routers(scene)}
    assert told == {version(scene)}


def test_an_abort_leaves_the_candidate_its_share_while_the_stable_revision_has_no_pod() -> None:
    scene, old, new = rolling({"weight": 50, "pause": True})
    ready(scene, new).settle()
    ready(scene, old, 0).settle().annotate(abort="1").settle()
    assert weights(scene) == {old: 50, new: 50}
    assert weights(ready(scene, old, 1).settle()) == {old: 100}


def test_the_old_revision_stays_while_a_router_pod_that_is_not_ready_may_send_to_it() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    name = one_lingers(scene)
    assert old in workloads(scene.later(60).settle())
    scene.without("Pod", name)
    assert workloads(scene.settle()) == [new]


def test_a_split_that_was_asked_for_before_another_one_is_not_the_one_after_it() -> None:
    scene = serving(a_deployment().spec(strategy={"canary": {"steps": [{"weight": 50, "hold": "1h"}]}}))
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (new,) = set(workloads(scene)) - {old}
    first = version(scene)
    assert first
    stuck(scene, first)
    ready(scene, new).settle()
    assert weights(scene) == {old: 50, new: 50}
    scene.annotate(abort="now").settle()
    assert weights(scene) == {old: 100}
    assert new in workloads(scene.later(60).settle()), "a router may still get the weights in between"
    scene.cluster = routers_follow
    assert workloads(over(scene.settle())) == [old]


def test_without_a_router_pod_that_could_be_asked_nothing_goes() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    for name in routers(scene):
        scene.without("Pod", name)
    scene.cluster = lambda _: None
    assert old in workloads(scene.later(600).settle())


def test_candidates_that_are_replaced_while_no_router_answers_do_not_pile_up_without_end() -> None:
    scene = serving()
    old = only(scene)
    lagging(scene)
    for workers in range(2, 40):
        scene.edit(runtime={"workers": workers}).settle()
    assert len(scene.obj["status"]["retiring"]) <= 16
    assert (old in workloads(scene), served(scene)) == (True, old)
    scene.cluster = routers_follow
    over(scene.settle())
    assert over(scene).obj["status"]["retiring"] == []


def test_only_the_last_one_that_served_is_kept_warm() -> None:
    scene = serving(a_deployment().spec(strategy={"blueGreen": {"keep": "24h"}}))
    for workers in range(2, 6):
        scene.edit(runtime={"workers": workers}).settle()
        ready(scene, candidate(scene) or "").settle()
        over(scene)
    assert len(workloads(scene)) == 2


def test_a_first_revision_that_answers_is_not_taken_away_because_routers_cannot_be_asked() -> None:
    scene = coming_up()
    first = only(scene)
    lagging(ready(scene, first)).settle()
    assert stable(scene) is None
    scene.edit(runtime={"workers": 2}).settle()
    assert stable(scene) == served(scene) == first


def test_the_old_revision_stays_while_a_router_pod_still_counts_a_request() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    busy = active(scene, old, 1)
    over(busy)
    assert old in workloads(scene)
    over(active(scene, old, 0))
    assert old not in workloads(scene)


def test_a_request_that_never_ends_does_not_keep_the_old_revision_for_ever() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    active(scene, old, 1).later(60 + 1 + 31).settle()
    assert workloads(scene) == [new]


def test_the_old_revision_stays_while_a_router_pod_has_not_the_new_split() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    lagging(scene)
    assert old in workloads(scene.later(300).settle())


def test_routers_that_never_follow_are_asked_less_and_less_often() -> None:
    scene, _, new = with_candidate()
    ready(scene, new).settle()
    lagging(scene)
    waits = [scene.later(seconds).settle().waits() for seconds in (2, 30, 300)]
    assert waits == sorted(set(waits))
    assert waits[-1] == 10


def test_nothing_goes_while_the_service_does_not_select_the_routers() -> None:
    scene, _old, new = with_candidate()
    ready(scene, new).settle()
    service = scene.child("Service", "digits")
    service["spec"]["selector"] = {"lamplighter.dev/deployment": "digits"}
    assert scene.having(service).later(60).plan().delete == ()


def test_a_first_revision_stays_while_a_router_may_send_to_it_and_nobody_else_could_answer() -> None:
    scene = lagging(coming_up())
    broken = only(scene)
    over(scene.edit(runtime={"workers": 2}))
    assert broken in workloads(scene)
    scene.cluster = routers_follow
    over(scene)
    assert broken not in workloads(scene)


def test_first_revisions_are_corrected_again_and_again_though_no_router_comes_up() -> None:
    scene = Scene(a_deployment(), a_trained().with_model(1)).settle()
    for workers in range(2, 20):
        over(scene.edit(runtime={"workers": workers}).settle())
        assert candidate(scene) == only(scene)


def test_too_many_corrections_at_once_wait_for_routers_and_go_on_when_those_follow() -> None:
    scene = lagging(coming_up())
    for workers in range(2, 16):
        over(scene.edit(runtime={"workers": workers}))
    assert "one of the 12 retiring revisions" in scene.told("Ready")[2]
    scene.cluster = routers_follow
    over(over(over(scene)))
    assert candidate(scene) == only(scene)


def test_a_correction_says_who_keeps_its_room() -> None:
    scene = lagging(coming_up())
    broken = only(scene)
    scene.having(a_workload(scene.child("Deployment", broken)).status(replicas=1))
    scene.edit(runtime={"workers": 2}).settle().later(30).settle()
    held = f"the pods of {broken.removeprefix('digits-')} are kept until every router pod confirms"
    assert held in scene.told("Ready")[2]
