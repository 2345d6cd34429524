"""Revisions come up beside each other, and the Service turns to a new one when all its pods are ready."""

from tests.builders import Scene, a_deployment, a_trained, a_training
from tests.unit.deployment.scenes import (
    OTHER,
    candidate,
    coming_up,
    only,
    ready,
    served,
    serving,
    stable,
    with_candidate,
)


def test_the_first_revision_is_frozen_then_gets_a_deployment_and_the_service() -> None:
    scene = Scene(a_deployment(), a_trained().with_model(1))
    kinds = [[obj["kind"] for obj in wave] for wave in scene.act().create]
    assert kinds == [["ControllerRevision"], ["Deployment", "Service"]]
    assert scene.state == "RollingOut"
    assert (stable(scene), candidate(scene)) == (None, only(scene))


def test_the_first_revision_is_not_stable_before_its_pods_are_ready() -> None:
    scene = ready(coming_up(a_deployment().replicas(2)), only(coming_up()), 1).settle()
    assert stable(scene) is None
    assert scene.told("Ready")[2].endswith("1 of 2 pods are ready")


def test_the_first_revision_is_stable_when_all_its_pods_are_ready() -> None:
    scene = coming_up()
    plan = ready(scene, only(scene)).act()
    assert (stable(scene), candidate(scene)) == (only(scene), None)
    assert scene.told("Ready")[:2] == ("True", "Ready")
    assert scene.told("Available")[:2] == ("True", "Serving")
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "RolledOut")]


def test_the_status_tells_the_endpoint_the_replicas_and_the_selector() -> None:
    status = serving(a_deployment().replicas(3)).obj["status"]
    revision = status["stable"]["revision"]
    assert status["endpoint"] == "http://digits.team.svc/predictions/digits"
    assert (status["replicas"], status["readyReplicas"]) == (3, 3)
    assert status["selector"] == f"lamplighter.dev/deployment=digits,lamplighter.dev/revision={revision}"


def test_a_deployment_that_its_controller_has_not_looked_at_is_not_ready() -> None:
    scene = coming_up()
    workload = scene.child("Deployment", only(scene))
    workload["metadata"]["generation"] = 2
    workload["status"] = {"readyReplicas": 1, "observedGeneration": 1}
    scene.having(workload).settle()
    assert stable(scene) is None


def test_a_newer_model_comes_up_beside_the_one_that_serves() -> None:
    scene, old, new = with_candidate()
    assert served(scene) == old
    assert (stable(scene), candidate(scene)) == (old, new)
    assert scene.told("Ready")[:2] == ("False", "RollingOut")
    assert scene.told("Available")[:2] == ("True", "Serving")


def test_the_service_turns_when_the_new_revision_is_fully_ready() -> None:
    scene, old, new = with_candidate(a_deployment().replicas(2))
    ready(scene, new, 1).settle()
    assert served(scene) == old
    ready(scene, new, 2).act()
    assert (served(scene), stable(scene), candidate(scene)) == (new, new, None)


def test_the_old_revision_goes_only_after_status_and_service_point_elsewhere() -> None:
    scene, old, new = with_candidate()
    assert ready(scene, new).act().delete == ()
    assert [(ref.kind, ref.name) for ref in scene.act().delete] == [("Deployment", old)]
    assert scene.names("Deployment") == [new]


def test_a_service_that_still_points_to_the_old_revision_keeps_it() -> None:
    scene, _, new = with_candidate()
    before = scene.child("Service", "digits")
    ready(scene, new).act()
    scene.having(before)
    assert scene.plan().delete == ()
    scene.settle()
    assert (served(scene), scene.names("Deployment")) == (new, [new])


def test_a_lost_status_keeps_the_old_revision_until_the_service_turned() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).act(writes=1)
    assert (served(scene), stable(scene)) == (new, old)
    assert scene.plan().delete == ()
    assert scene.settle().names("Deployment") == [new]


def test_a_crash_between_switch_and_status_goes_back_when_the_new_one_became_unready() -> None:
    scene, old, new = with_candidate()
    ready(scene, new).act(writes=1)
    ready(scene, new, 0).settle()
    assert (served(scene), stable(scene), candidate(scene)) == (old, old, new)


def test_going_back_just_after_the_switch_keeps_the_old_revision() -> None:
    scene = serving()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (new,) = set(scene.names("Deployment")) - {old}
    ready(scene, new).act()
    assert served(scene) == new
    plan = scene.edit(runtime=None).act()
    assert old not in {ref.name for ref in plan.delete}
    scene.settle()
    assert (served(scene), scene.names("Deployment")) == (old, [old])


def test_a_candidate_is_replaced_when_a_still_newer_model_comes() -> None:
    scene, old, new = with_candidate()
    scene.having(a_trained().with_model(1).with_model(2, OTHER).with_model(3, "c" * 64)).act()
    assert len(scene.names("Deployment")) == 3
    scene.settle()
    assert new not in scene.names("Deployment")
    assert (served(scene), stable(scene)) == (old, old)
    assert candidate(scene) not in (old, new)


def test_a_candidate_that_is_wanted_again_before_it_is_removed_stays() -> None:
    scene = serving()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (wanted,) = set(scene.names("Deployment")) - {old}
    scene.edit(runtime={"workers": 3}).act()
    scene.edit(runtime={"workers": 2}).act()
    assert wanted in scene.names("Deployment")
    scene.settle()
    assert scene.names("Deployment") == sorted([old, wanted])


def test_a_candidate_that_is_no_longer_wanted_is_removed() -> None:
    scene, old, _ = with_candidate()
    scene.having(a_trained().with_model(1)).settle()
    assert scene.names("Deployment") == [old]
    assert scene.told("Ready")[0] == "True"


def test_a_first_revision_that_never_came_up_makes_room_for_its_correction() -> None:
    scene = coming_up()
    broken = only(scene)
    scene.edit(runtime={"workers": 2})
    assert scene.act().delete == ()
    assert [(ref.kind, ref.name) for ref in scene.act().delete] == [("Deployment", broken)]
    scene.settle()
    assert served(scene) == candidate(scene) == only(scene) != broken


def test_the_same_spec_again_is_the_same_revision() -> None:
    scene = serving()
    first = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    (second,) = set(scene.names("Deployment")) - {first}
    ready(scene, second).settle()
    scene.edit(runtime={"workers": 1}).settle()
    assert scene.names("Deployment") == sorted([first, second])
    assert candidate(scene) == first


def test_writing_down_a_default_is_no_new_revision() -> None:
    scene = serving()
    scene.edit(runtime={"workers": 1, "maxBatchDelay": "50ms"}, resources={}, template={"metadata": {}})
    assert not any(scene.plan().create)


def test_replicas_are_no_new_revision() -> None:
    scene = serving().edit(replicas=3)
    plan = scene.plan()
    assert not any(plan.create)
    assert [patch["spec"] for patch in plan.patch] == [{"replicas": 3}]


def test_a_scaled_deployment_is_not_ready_before_all_pods_are() -> None:
    scene = serving().edit(replicas=3)
    scene.act()
    assert scene.told("Ready")[:2] == ("False", "RollingOut")
    assert scene.told("Ready")[2].endswith("1 of 3 pods are ready")
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
    assert [[obj["kind"] for obj in wave] for wave in plan.create] == [
        ["ControllerRevision"],
        ["Deployment", "Service"],
    ]
    assert not plan.delete
    assert not plan.patch


def test_old_revisions_are_remembered_up_to_the_limit_the_newest_first() -> None:
    scene = serving(a_deployment().spec(revisionHistoryLimit=1))
    names = scene.names("ControllerRevision")
    for workers in (2, 3, 4):
        scene.edit(runtime={"workers": workers}).settle()
        (new,) = set(scene.names("ControllerRevision")) - set(names)
        ready(scene, new).settle()
        names = [*names, new]
    assert scene.names("ControllerRevision") == sorted(names[-2:])
    assert scene.names("Deployment") == [names[-1]]


def test_with_no_history_the_revision_in_use_stays() -> None:
    scene, old, new = with_candidate(a_deployment().spec(revisionHistoryLimit=0))
    assert scene.names("ControllerRevision") == sorted([old, new])
    ready(scene, new).settle()
    assert scene.names("ControllerRevision") == [new]


def test_a_rollout_that_goes_on_as_before_needs_nothing_written() -> None:
    scene, _, _ = with_candidate()
    assert scene.after(3600).plan().empty


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
