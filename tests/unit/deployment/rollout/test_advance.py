"""Revisions come up beside each other, and the Service turns to a new one when all its pods are ready."""

from tests.builders import Scene, a_deployment, a_trained, a_training
from tests.unit.deployment.scenes import (
    OTHER,
    candidate,
    coming_up,
    only,
    over,
    ready,
    served,
    serving,
    stable,
    weights,
    with_candidate,
    workloads,
)

ALL = ["ConfigMap", "Deployment", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service"]
"""What a first revision of one pod gets: a Deployment and a Service of its own, and what the router has."""


def test_the_first_revision_is_frozen_then_gets_its_pods_and_its_router() -> None:
    scene = Scene(a_deployment(), a_trained().with_model(1))
    first, then = [[obj["kind"] for obj in wave] for wave in scene.act().create]
    assert first == ["ControllerRevision"]
    assert sorted(then) == ALL
    assert scene.state == "RollingOut"
    assert (stable(scene), candidate(scene)) == (None, only(scene))


def test_the_first_revision_is_not_stable_before_its_pods_are_ready() -> None:
    scene = ready(coming_up(a_deployment().replicas(2)), only(coming_up()), 1).settle()
    assert stable(scene) is None
    assert scene.told("Ready")[2].startswith("1 of 2 pods of revision ")


def test_the_first_revision_is_available_with_the_first_pod_that_routers_send_to() -> None:
    scene = ready(coming_up(a_deployment().replicas(2)), only(coming_up()), 1).settle()
    assert scene.told("Available") == ("True", "Serving", "1 pod answers")
    unrouted = Scene(a_deployment().replicas(2), a_trained().with_model(1)).settle()
    ready(unrouted, only(unrouted), 1).settle()
    assert unrouted.told("Available") == ("False", "NothingServes", "no router is ready")


def test_the_first_revision_is_stable_when_all_its_pods_are_ready_and_every_router_pod_sees_them() -> None:
    scene = coming_up()
    plan = ready(scene, only(scene)).act()
    assert (stable(scene), candidate(scene)) == (only(scene), None)
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "RolledOut")]
    scene.settle()
    assert scene.told("Ready")[:2] == ("True", "Ready")
    assert scene.told("Available")[:2] == ("True", "Serving")


def test_the_status_tells_the_endpoint_the_replicas_and_the_selector() -> None:
    status = serving(a_deployment().replicas(3)).obj["status"]
    revision = status["stable"]["revision"]
    assert status["endpoint"] == "http://digits.team.svc/predictions/digits"
    assert (status["replicas"], status["readyReplicas"]) == (3, 3)
    assert status["selector"] == f"lamplighter.dev/deployment=digits,lamplighter.dev/revision={revision}"


def test_a_deployment_that_its_controller_has_not_looked_at_is_not_ready() -> None:
    scene = serving()
    workload = scene.child("Deployment", only(scene))
    workload["metadata"]["generation"] = 2
    workload["status"] = {"readyReplicas": 1, "observedGeneration": 1}
    scene.having(workload).settle()
    assert scene.told("Ready")[0] == "False"


def test_a_newer_model_comes_up_beside_the_one_that_serves() -> None:
    scene, old, new = with_candidate()
    assert served(scene) == old
    assert (stable(scene), candidate(scene)) == (old, new)
    assert scene.told("Ready")[:2] == ("False", "RollingOut")
    assert scene.told("Available")[:2] == ("True", "Serving")


def test_the_requests_go_to_the_new_revision_when_it_is_fully_ready() -> None:
    scene, old, new = with_candidate(a_deployment().replicas(2))
    ready(scene, new, 1).settle()
    assert weights(scene) == {old: 100}
    ready(scene, new, 2).settle()
    assert weights(scene) == {new: 100}
    assert (stable(scene), candidate(scene)) == (new, None)


def test_the_old_revision_goes_when_no_router_sends_to_it_and_the_last_requests_are_answered() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).settle()
    assert (weights(scene), workloads(scene)) == ({new: 100}, sorted([old, new]))
    assert over(scene).names("Deployment")
    assert workloads(scene) == [new]
    assert old not in scene.names("Service")


def test_it_stays_ready_while_routers_forget_the_old_revision() -> None:
    scene, _, new = with_candidate()
    ready(scene, new).settle()
    assert scene.told("Ready")[0] == "True"
    scene.later(5).act()
    assert (scene.obj["status"].get("retiring"), scene.obj["status"]["router"]["verified"]) == ([], False)
    assert scene.told("Ready")[0] == "True"


def test_a_lost_status_keeps_the_old_revision() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).act(writes=1)
    assert (weights(scene), stable(scene)) == ({new: 100}, old)
    assert scene.plan().delete == ()
    assert workloads(over(scene.settle())) == [new]


def test_a_crash_between_switch_and_status_goes_back_when_the_new_one_became_unready() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).act(writes=1)
    ready(scene, new, 0).settle()
    assert (served(scene), stable(scene), candidate(scene)) == (old, old, new)


def test_going_back_just_after_the_switch_takes_the_old_revision_as_it_is() -> None:
    scene = serving()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (new,) = set(workloads(scene)) - {old}
    ready(scene, new).settle()
    assert weights(scene) == {new: 100}
    scene.edit(runtime=None).settle()
    assert weights(scene) == {old: 100}
    assert workloads(over(scene)) == [old]


def test_a_candidate_is_replaced_when_a_still_newer_model_comes() -> None:
    scene, old, new = with_candidate()
    scene.having(a_trained().with_model(1).with_model(2, OTHER).with_model(3, "c" * 64)).act()
    assert len(workloads(scene)) == 3
    over(scene)
    assert new not in workloads(scene)
    assert (served(scene), stable(scene)) == (old, old)
    assert candidate(scene) not in (old, new)


def test_a_candidate_that_is_wanted_again_before_it_is_removed_stays() -> None:
    scene = serving()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (wanted,) = set(workloads(scene)) - {old}
    scene.edit(runtime={"workers": 3}).act()
    scene.edit(runtime={"workers": 2}).act()
    assert wanted in workloads(scene)
    over(scene)
    assert workloads(scene) == sorted([old, wanted])


def test_a_candidate_that_is_no_longer_wanted_is_removed() -> None:
    scene, old, _ = with_candidate()
    over(scene.having(a_trained().with_model(1)).settle())
    assert workloads(scene) == [old]
    assert scene.told("Ready")[0] == "True"


def test_a_first_revision_that_never_came_up_makes_room_for_its_correction() -> None:
    scene = coming_up(a_deployment().replicas(2))
    broken = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    assert broken in workloads(scene)  # a request may be on its way
    over(scene)
    assert served(scene) == candidate(scene) == only(scene) != broken


def test_the_same_spec_again_is_the_same_revision() -> None:
    scene = serving()
    first = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (second,) = set(workloads(scene)) - {first}
    over(ready(scene, second).settle())
    scene.edit(runtime={"workers": 1}).settle()
    assert workloads(scene) == sorted([first, second])
    assert candidate(scene) == first


def test_writing_down_a_default_is_no_new_revision() -> None:
    scene = serving()
    scene.edit(runtime={"workers": 1, "maxBatchDelay": "50ms"}, resources={}, template={"metadata": {}})
    assert not any(scene.plan().create)


def test_replicas_are_no_new_revision() -> None:
    scene = serving(a_deployment().replicas(2)).edit(replicas=3)
    plan = scene.plan()
    assert not any(plan.create)
    assert [patch["spec"] for patch in plan.patch if "spec" in patch] == [{"replicas": 3}]


def test_an_only_pod_has_no_budget_that_could_protect_it() -> None:
    scene = serving(a_deployment().spec(router={"replicas": 1}))
    assert scene.names("PodDisruptionBudget") == []
    scene.edit(replicas=2, router={"replicas": 2}).settle()
    assert scene.names("PodDisruptionBudget") == [only(scene), "digits-router"]


def test_a_scaled_deployment_is_not_ready_before_all_pods_are() -> None:
    scene = serving().edit(replicas=3)
    scene.act()
    assert scene.told("Ready")[:2] == ("False", "RollingOut")
    assert scene.told("Ready")[2].startswith("1 of 3 pods of revision ")
    assert ready(scene.settle(), only(scene)).settle().told("Ready")[0] == "True"


def test_raising_the_replicas_during_a_rollout_waits_for_all_of_them() -> None:
    scene, old, new = with_candidate()
    ready(scene, new, 1).edit(replicas=3)
    scene.act()
    assert served(scene) == old
    assert {name: scene.child("Deployment", name)["spec"]["replicas"] for name in (old, new)} == {old: 3, new: 3}
    ready(scene, new, 3).settle()
    assert served(scene) == new


def test_no_replicas_at_all_is_fine_and_serves_nothing() -> None:
    scene = coming_up(a_deployment().replicas(0))
    ready(scene, only(scene), 0).settle()
    assert stable(scene) == only(scene)
    assert scene.told("Ready")[:2] == ("True", "Ready")
    assert scene.told("Available") == ("False", "NothingServes", "no pod is ready to answer")


def test_without_replicas_in_the_spec_there_is_one() -> None:
    scene = coming_up()
    assert scene.child("Deployment", only(scene))["spec"]["replicas"] == 1


def test_a_replica_number_that_somebody_changed_is_put_right() -> None:
    scene = serving()
    workload = scene.child("Deployment", only(scene))
    workload["spec"]["replicas"] = 7
    assert [patch["spec"] for patch in scene.having(workload).plan().patch] == [{"replicas": 1}]


def test_children_of_an_earlier_deployment_of_the_name_are_not_ours() -> None:
    leftovers = list(serving().children.values())
    plan = Scene(a_deployment().made_again(), a_trained().with_model(1), *leftovers).plan()
    first, then = [[obj["kind"] for obj in wave] for wave in plan.create]
    assert (first, sorted(then)) == (["ControllerRevision"], ALL)
    assert not plan.delete
    assert not plan.patch


def test_old_revisions_are_remembered_up_to_the_limit_the_newest_first() -> None:
    scene = serving(a_deployment().spec(revisionHistoryLimit=1))
    names = scene.names("ControllerRevision")
    for workers in (2, 3, 4):
        scene.edit(runtime={"workers": workers}).settle()
        (new,) = set(scene.names("ControllerRevision")) - set(names)
        over(ready(scene, new).settle())
        names = [*names, new]
    assert scene.names("ControllerRevision") == sorted(names[-2:])
    assert workloads(scene) == [names[-1]]


def test_with_no_history_the_revision_in_use_stays() -> None:
    scene, old, new = with_candidate(a_deployment().spec(revisionHistoryLimit=0))
    assert scene.names("ControllerRevision") == sorted([old, new])
    over(ready(scene, new).settle())
    assert scene.names("ControllerRevision") == [new]


def test_a_rollout_that_goes_on_as_before_needs_nothing_written() -> None:
    scene, _, _ = with_candidate()
    assert scene.after(300).plan().empty


def test_a_training_that_starts_its_next_run_changes_nothing() -> None:
    scene = serving()
    training = a_trained().with_model(1).status(state="Running", observedGeneration=9)
    assert scene.having(training).plan().empty


def test_waiting_for_a_first_model_does_not_bring_anything_up() -> None:
    assert Scene(a_deployment(), a_training()).settle().children == {}


def test_pods_that_are_not_ready_count_as_replicas_all_the_same() -> None:
    scene = serving(a_deployment().replicas(3))
    status = ready(scene, only(scene), 1).settle().obj["status"]
    assert (status["replicas"], status["readyReplicas"]) == (3, 1)
