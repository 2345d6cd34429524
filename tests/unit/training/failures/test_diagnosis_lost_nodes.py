"""Nodes that do not answer, and the pods on them."""

import pytest
from tests.builders import Scene, a_node, at
from tests.unit.training.gangs import GANG, created, job, pod, running

from lamplighter.core.objects import Ref
from lamplighter.core.plan import Plan
from lamplighter.training.view import TrainingOptions

FORCED = 10


def forced(plan: Plan) -> list[str]:
    """The pods that are removed by force."""
    assert all(ref.uid for ref in plan.delete)
    return [ref.name for ref in plan.delete if ref.kind == "Pod" and ref.force]


def test_a_silent_node_is_waited_for_before_its_pods_are_lost() -> None:
    scene = running().having(a_node("node-1").silent()).after(14)
    assert scene.waits() == 1


def test_a_node_that_comes_back_in_time_costs_nothing() -> None:
    scene = running().having(a_node("node-1").silent()).after(14)
    scene.act()
    assert scene.having(a_node("node-1")).after(60).waits() is None


def test_after_the_grace_the_pods_of_a_silent_node_are_lost() -> None:
    scene = running().having(a_node("node-1").silent()).after(15)
    scene.settle()
    failure = scene.run["lastFailure"]
    assert (failure["cause"], failure["reason"], failure["node"]) == ("Infrastructure", "NodeLost", "node-1")
    assert failure["message"] == (
        "pod digits-1-1-1-x7k2p is lost: Node node-1 is not ready: Kubelet stopped posting node status."
    )
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]


def test_the_grace_is_a_setting() -> None:
    scene = running()
    scene.options = TrainingOptions(node_grace=120)
    assert scene.having(a_node("node-1").silent()).after(100).waits() == 20


def test_a_node_that_is_gone_is_a_lost_node() -> None:
    scene = running().having(pod(1).running().status(startTime=at())).without("Node", "node-1").after(15)
    scene.act()
    assert scene.run["lastFailure"]["message"].endswith("Node node-1 is gone from the cluster")


def test_a_node_that_no_watch_has_delivered_yet_is_not_gone() -> None:
    scene = running().having(pod(1).running().status(startTime=at())).without("Node", "node-1").after(10)
    assert scene.waits() == 5


@pytest.mark.parametrize("grace", [0, 15])
def test_a_pod_that_no_kubelet_has_seen_is_not_lost_with_a_node_that_is_not_known(grace: int) -> None:
    scene = running().having(pod(1).pending()).without("Node", "node-1").after(1000)
    scene.options = TrainingOptions(node_grace=grace)
    assert scene.plan().status is None or "lastFailure" not in scene.plan().status["run"]


def test_a_pod_that_has_ended_is_not_lost_with_its_node() -> None:
    scene = running().having(job().started().succeeding(), pod(0).succeeded(), pod(1).succeeded())
    scene.having(a_node("node-0").silent()).after(100).act()
    assert scene.state == "Succeeded"


def test_without_nodes_being_watched_no_pod_is_lost() -> None:
    scene = running()
    scene.nodes = None
    assert scene.after(1000).plan().empty


def lost() -> Scene:
    """A scene in which the Node of pod 1 is lost, the next attempt is made, and the Job of the first is stopped."""
    scene = running().having(a_node("node-1").silent()).after(15).settle()
    return scene.having(pod(1).running().deleted(grace_ends=50))


def test_a_pod_on_a_lost_node_is_removed_by_force_some_time_after_its_grace() -> None:
    scene = lost().after(50 + FORCED - 1)
    assert forced(scene.plan()) == []
    assert scene.plan().requeue_after == 1
    assert forced(scene.after(50 + FORCED).plan()) == ["digits-1-1-1-x7k2p"]


def test_a_pod_that_was_not_deleted_is_left_to_its_node() -> None:
    scene = running().having(a_node("node-1").silent()).after(1000).settle()
    assert forced(scene.plan()) == []


def test_a_pod_is_never_removed_by_force_while_its_node_answers() -> None:
    scene = running().having(pod(1).running().deleted(grace_ends=50)).after(10000)
    assert forced(scene.plan()) == []


def test_a_pod_is_not_removed_by_force_during_the_grace_of_its_node() -> None:
    scene = running().having(a_node("node-1").silent(since=100), pod(1).running().deleted(grace_ends=50)).after(114)
    assert forced(scene.plan()) == []


def test_a_pod_that_has_ended_needs_no_force() -> None:
    assert forced(lost().having(pod(1).failed().deleted(50)).after(1000).plan()) == []


def test_without_nodes_being_watched_nothing_is_removed_by_force() -> None:
    scene = lost().after(1000)
    scene.nodes = None
    assert forced(scene.plan()) == []


def test_a_forced_removal_names_the_pod_by_its_uid() -> None:
    scene = lost().after(100)
    uid = scene.child("Pod", "digits-1-1-1-x7k2p")["metadata"]["uid"]
    assert scene.plan().delete == (Ref("Pod", "team", "digits-1-1-1-x7k2p", uid, force=True),)


def test_a_gang_that_waits_for_its_pods_looks_at_their_nodes_too() -> None:
    scene = created(GANG).having(pod(0).pending(), a_node("node-0").silent()).after(5)
    scene.settle()
    assert scene.plan().requeue_after == 10
