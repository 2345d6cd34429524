"""What keeps a revision from being ready is told with its cause."""

import pytest
from tests.builders import Scene, a_deployment, a_pod, a_workload
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.builders.routers import router_says
from tests.unit.deployment.scenes import (
    candidate,
    coming_up,
    only,
    ready,
    served,
    serving,
    stable,
    with_candidate,
    workloads,
)

from lamplighter.core.objects import Ref


def pod(scene: Scene, name: str | None = None) -> Pod:
    """A pod of a revision."""
    return a_pod(scene.child("Deployment", name or only(scene)))


def test_a_digest_mismatch_is_told_from_the_init_container_and_stalls() -> None:
    scene = coming_up()
    said = "pvc://digits-models/digits-0/run-1/model.mar: expected 4f53 found 0000"
    scene.having(pod(scene).init_failed(66, reason="DigestMismatch", message=said)).settle()
    status, reason, message = scene.told("Stalled")
    assert (status, reason) == ("True", "DigestMismatch")
    assert message.endswith(f"ended with exit code 66: {said}")
    assert "0 of 1 pods of revision" in message


def test_a_worker_that_cannot_load_is_told_with_its_last_line() -> None:
    scene = coming_up()
    said = "ModuleNotFoundError: No module named 'transformers'"
    scene.having(pod(scene).crashed(68, reason="WorkerFailed", message=said)).settle()
    assert scene.state == "WorkerFailed"
    assert scene.told("Stalled")[0] == "True"
    assert said in scene.told("Ready")[2]


DEAD = "0 of 1 workers are ready; a worker died and is being restarted: ZeroDivisionError: division by zero"


def doubtful(scene: Scene, said: Obj | None, name: str | None = None) -> Scene:
    """The pod of a revision runs, is not ready any more, and says why; None: it says nothing."""
    running = pod(scene, name).running().obj()
    ready(scene, name or only(scene), 0).having(running)
    place = Ref("ModelReadiness", "team", running["metadata"]["name"])
    assert place not in scene.reads, "it has just begun to run"
    asked = [place.name for place in scene.later(10).reads if place.kind == "ModelReadiness"]
    assert asked == [running["metadata"]["name"]]
    scene.related |= {("ModelReadiness", name): said for name in asked if said is not None}
    return scene.settle()


def test_a_worker_of_the_stable_revision_that_died_is_told_of_during_a_rollout() -> None:
    scene, old, _ = with_candidate()
    doubtful(scene, {"reason": "WorkerFailed", "message": DEAD}, old)
    assert scene.told("Ready")[1] == "RollingOut"
    name = old.removeprefix("digits-")
    assert f"; stable revision {name}: 0 of 1 pods are ready. pod {old}" in scene.told("Ready")[2]
    assert scene.told("Ready")[2].endswith(DEAD)
    ready(scene, old).having(pod(scene, old).running().ready()).settle()
    assert "stable revision" not in scene.told("Ready")[2]


def test_pods_of_the_stable_revision_that_are_refused_are_told_of_beside_a_candidate_that_fails() -> None:
    scene, old, new = with_candidate(a_deployment().replicas(2))
    refused = a_workload(scene.child("Deployment", old)).ready(1).status(replicas=1)
    scene.having(refused.condition("ReplicaFailure", reason="FailedCreate", message="exceeded quota: small"))
    scene.having(pod(scene, new).waiting("ErrImagePull", "not found")).settle()
    assert scene.told("Ready")[1] == "ImagePullFailed"
    name = old.removeprefix("digits-")
    assert f"; stable revision {name}: 1 of 2 pods are ready. Deployment {old} cannot" in scene.told("Ready")[2]


def test_a_worker_that_died_is_told_of_at_once_with_its_last_line() -> None:
    scene = doubtful(serving(), {"reason": "WorkerFailed", "message": DEAD})
    assert scene.told("Ready")[1] == "WorkerDied"
    assert DEAD in scene.told("Ready")[2]
    assert scene.told("Stalled")[0] == "False"
    assert [event.message for event in scene.events if event.reason == "WorkerDied"] == [scene.told("Ready")[2]]
    assert ready(scene, only(scene)).having(pod(scene).running().ready()).settle().told("Ready")[1] == "Ready"


@pytest.mark.parametrize(
    "said", [None, {}, {"reason": "PredictionFailed", "message": "a full queue"}, {"reason": 7}, {"reason": ["x"]}]
)
def test_a_pod_that_has_nothing_to_complain_of_is_waited_for_and_asked_again(said: Obj | None) -> None:
    scene = doubtful(serving(), said)
    assert scene.told("Ready")[1] == "RollingOut"
    assert [scene.later(seconds).waits() for seconds in (0, 60, 600)] == [5.0, 17.5, 30.0]


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled_stalls_the_rollout(reason: str) -> None:
    scene = coming_up()
    scene.having(pod(scene).waiting(reason, "not found")).settle()
    assert scene.told("Stalled")[:2] == ("True", "ImagePullFailed")


def test_an_image_of_the_init_container_counts_too() -> None:
    scene = coming_up()
    scene.having(pod(scene).waiting("ErrImagePull", "not found", init="fetch")).settle()
    assert "container fetch cannot pull" in scene.told("Ready")[2]


def test_an_unschedulable_pod_is_told_of_and_waited_for() -> None:
    scene = coming_up()
    scene.having(pod(scene).unschedulable()).settle()
    assert scene.told("Ready")[1] == "Unschedulable"
    assert scene.told("Stalled")[0] == "False"
    assert scene.told("Reconciling")[0] == "True"


def test_pods_that_the_api_server_refuses_stall_with_its_sentence() -> None:
    scene = coming_up()
    said = 'pods "digits-x" is forbidden: exceeded quota: small'
    workload = a_workload(scene.child("Deployment", only(scene))).ready(0)
    scene.having(workload.condition("ReplicaFailure", reason="FailedCreate", message=said)).settle()
    assert scene.told("Stalled")[:2] == ("True", "PodsRefused")
    assert scene.told("Stalled")[2].endswith(said)


def test_a_node_that_was_restarted_is_told_of_and_waited_for() -> None:
    scene = serving()
    ready(scene, only(scene), 0).having(pod(scene).failed(255, reason="Unknown").status(phase="Running")).settle()
    assert scene.state == "ContainerStatusUnknown"
    assert scene.told("Stalled")[0] == "False"


def test_an_evicted_pod_is_told_of_by_its_own_words() -> None:
    scene = serving()
    said = "The node was low on resource: memory."
    evicted = pod(scene).unseen().status(phase="Failed", reason="Evicted", message=said)
    ready(scene, only(scene), 0).having(evicted).settle()
    assert scene.state == "Evicted"
    assert said in scene.told("Ready")[2]


def test_out_of_memory_stalls_with_advice() -> None:
    scene = coming_up()
    scene.having(pod(scene).oom_killed()).settle()
    assert scene.told("Stalled")[:2] == ("True", "OOMKilled")
    assert "Raise the memory limit" in scene.told("Stalled")[2]


def test_a_candidate_that_fails_leaves_the_stable_one_serving() -> None:
    scene, old, new = with_candidate()
    scene.having(pod(scene, new).crashed(68, reason="WorkerFailed", message="boom")).settle()
    assert (served(scene), stable(scene), candidate(scene)) == (old, old, new)
    assert scene.told("Ready")[:2] == ("False", "WorkerFailed")
    assert scene.told("Available")[0] == "True"
    assert sorted(workloads(scene)) == sorted([old, new])


def test_a_pod_of_the_stable_revision_is_not_blamed_for_the_candidate() -> None:
    scene, old, _ = with_candidate()
    scene.having(pod(scene, old).crashed(1, message="boom")).settle()
    assert scene.told("Ready")[1] == "RollingOut"


def test_a_pod_that_became_ready_after_a_failure_is_not_blamed() -> None:
    scene = coming_up()
    scene.having(pod(scene).crashed(1, message="boom")).settle()
    ready(scene, only(scene)).having(pod(scene).ready()).settle()
    assert scene.told("Ready")[:2] == ("True", "Ready")


def test_a_pod_that_is_going_away_is_not_blamed() -> None:
    scene = coming_up()
    scene.having(pod(scene).crashed(1, message="boom").being_deleted()).settle()
    assert scene.told("Ready")[1] == "RollingOut"


def test_a_serving_revision_that_loses_a_pod_says_so() -> None:
    scene = serving()
    ready(scene, only(scene), 0).having(pod(scene).oom_killed()).settle()
    assert scene.told("Ready")[:2] == ("False", "OOMKilled")
    assert scene.told("Available")[:2] == ("False", "NothingServes")
    assert stable(scene) == only(scene)


@pytest.mark.parametrize("reason", ["Ошибка", "A" * 200, "9lives", "two words", ""])
def test_no_reason_that_a_pod_gives_can_stop_the_operator(reason: str) -> None:
    scene = coming_up()
    scene.having(pod(scene).init_failed(66, reason=reason, message="half a character \ud83d")).settle()
    assert scene.state == "UserError"
    str(scene.obj["status"]).encode()


def test_an_event_is_sent_once_when_a_revision_stalls() -> None:
    scene = coming_up()
    scene.having(pod(scene).waiting("ErrImagePull", "not found"))
    assert [(event.type, event.reason) for event in scene.act().events] == [("Warning", "ImagePullFailed")]
    assert scene.act().events == ()


def test_routers_that_cannot_be_replaced_by_what_the_spec_asks_for_are_told_of_while_the_old_ones_go_on() -> None:
    scene = serving()
    scene.cluster = lambda _: None
    scene.edit(router={"image": "registry.invalid/x:1"}).settle()
    (new,) = [name for name in scene.names("Deployment") if "-router-" in name and "44136fa3" not in name]
    scene.having(a_pod(scene.child("Deployment", new)).waiting("ErrImagePull", "not found")).settle()
    assert scene.told("Ready")[:2] == ("False", "RouterNotReady")
    assert "0 of 2 router pods are ready" in scene.told("Ready")[2]
    assert "not found" in scene.told("Ready")[2]
    assert scene.told("Available")[0] == "True"


def test_a_configuration_is_refused_when_it_is_not_taken_in_time_and_not_because_an_earlier_one_was() -> None:
    scene, _, new = with_candidate()
    says = router_says("0-00000000", {})
    says["stats"].append({"name": "listener_manager.lds.update_rejected", "value": 1})
    places = [place for place in scene.related if place[0] == "RouterStatus"]
    scene.cluster = lambda scene: scene.related.update(dict.fromkeys(places, says))
    ready(scene, new).settle()
    assert scene.told("Ready")[1] == "RollingOut"
    assert scene.later(20).settle().told("Ready")[:2] == ("False", "RouterRefused")


def test_a_deployment_without_routers_does_not_answer_and_says_why() -> None:
    scene = serving()
    (router,) = [name for name in scene.names("Deployment") if "-router-" in name]
    lost = [a_pod(scene.child("Deployment", router), index).waiting("ErrImagePull", "not found") for index in (0, 1)]
    scene.cluster = lambda _: None
    scene.having(*lost).settle()
    assert scene.told("Ready")[:2] == ("False", "RouterNotReady")
    assert "no router pod is ready (0 of 2)" in scene.told("Ready")[2]
    assert "not found" in scene.told("Ready")[2]
    assert scene.told("Available") == ("False", "NothingServes", "no router is ready")
