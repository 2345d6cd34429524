"""Gangs that continue with fewer nodes and change their width while they run."""

import pytest
from tests.builders import Scene, a_node, a_training, at
from tests.builders.objects import Obj
from tests.builders.pods import Pod
from tests.unit.training.gangs import job, runs
from tests.unit.training.gangs import pod as pod_of
from tests.unit.training.gangs import running as gang_of_two

ELASTIC = a_training("digits").nodes(3).elastic(2, 4)
GANG = ELASTIC.obj()
NODES = tuple(f"node-{index}" for index in range(5))


def pod(index: int, attempt: int = 1) -> Pod:
    """A pod on a Node of its own."""
    return pod_of(index, attempt, GANG).on(NODES[index]).created(0)


def running() -> Scene:
    """A scene in which three pods run."""
    scene = Scene(GANG, *map(a_node, NODES)).settle()
    runs(scene)
    return scene.having(*(pod(index).running() for index in range(3))).settle()


def failing(*around: Pod) -> Scene:
    """A scene in which these pods ended, and nothing is due but to look at them."""
    return running().having(*around)


def scaled(scene: Scene) -> list[Obj]:
    """How the Job is changed now."""
    return [patch["spec"] for patch in scene.plan().patch if "parallelism" in patch["spec"]]


def test_the_job_replaces_workers_and_the_first_pod_tells_the_end() -> None:
    spec = running().child("Job", "digits-1-1")["spec"]
    scene = Scene(GANG)
    scene.act()
    spec = scene.child("Job", "digits-1-1")["spec"]
    assert (spec["parallelism"], spec["completions"], spec["completionMode"]) == (3, 3, "Indexed")
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (20, 0)
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert "backoffLimit" not in spec


def test_ranks_meet_at_the_first_pod_of_the_attempt() -> None:
    scene = Scene(GANG)
    scene.act()
    (container,) = scene.child("Job", "digits-1-1")["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["PET_NNODES"] == "2:4"
    assert environment["PET_RDZV_BACKEND"] == "c10d"
    assert environment["PET_RDZV_ENDPOINT"] == "digits-1-1-0.digits-1-1.team.svc:29500"
    assert environment["PET_RDZV_ID"] == "digits-1-1"
    assert environment["LAMPLIGHTER_ELASTIC"] == "1"
    assert "PET_MASTER_ADDR" not in environment


def test_one_node_of_an_elastic_gang_needs_its_service_too() -> None:
    scene = Scene(a_training("digits").nodes(1).elastic(1, 4))
    scene.act()
    assert scene.names("Service") == ["digits-1-1"]


def test_it_runs_when_the_fewest_run() -> None:
    scene = running().having(pod(2).unschedulable()).settle()
    assert scene.state == "Running"
    assert scene.told("Ready")[2].endswith("2 of 3 pods running; the others join when they start")
    scene.having(pod(1).pending()).settle()
    assert scene.state == "Unschedulable"


@pytest.mark.parametrize(
    "its_end",
    [
        pod(1).running().disrupted("EvictionByEvictionAPI"),
        pod(1).disrupted("DeletionByPodGC"),
        pod(1).failed(137),
        pod(1).told(143, reason="Terminated", message="asked to stop"),
        pod(1).told(1, reason="PeerLost", message="closed by peer"),
        pod(1).running().deleted(),
        pod(1).failed(1, "SignalException: got signal 15").deleted(),
        pod(1).evicted(),
    ],
    ids=["drained", "gc", "killed", "stopped", "peer", "deleted", "sigterm", "evicted"],
)
def test_it_outlives_a_worker_that_is_lost(its_end: Pod) -> None:
    scene = failing(its_end).after(100)
    scene.settle()
    assert (scene.run["attempt"], scene.run["state"], scene.run["failures"]) == (1, "Running", {})


@pytest.mark.parametrize(
    ("its_end", "reason"),
    [
        (pod(0).running().disrupted("EvictionByEvictionAPI"), "Evicted"),
        (pod(0).failed(137), "Killed"),
        (pod(0).told(1, reason="PeerLost", message="closed by peer"), "PeerLost"),
        (pod(0).running().deleted(), "PodDeleted"),
    ],
)
def test_losing_the_first_pod_starts_the_whole_gang_again(its_end: Pod, reason: str) -> None:
    scene = failing(its_end)
    scene.act()
    assert (scene.run["attempt"], scene.run["lastFailure"]["reason"]) == (2, reason)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (lambda one: one.failed(1, "ValueError: boom"), "UserError"),
        (lambda one: one.oom_killed(), "OutOfMemory"),
        (lambda one: one.told(75, reason="Hang", message="silent"), "Hang"),
        (lambda one: one.with_device("Unhealthy"), "Hardware"),
    ],
    ids=["error", "memory", "hang", "device"],
)
def test_what_would_come_again_ends_the_attempt_whichever_worker_has_it(index: int, end: Obj, cause: str) -> None:
    scene = running().edit(failurePolicy={"maxRestarts": 1})
    scene.having(end(pod(index))).act()
    assert (scene.run["attempt"], scene.run["lastFailure"]["cause"]) == (2, cause)


def test_an_error_of_any_worker_ends_the_run_when_its_budget_is_spent() -> None:
    scene = failing(pod(2).failed(1, "ValueError: boom"))
    scene.act()
    assert scene.state == "Failed"


def test_a_replaced_worker_says_nothing_any_more() -> None:
    scene = running().edit(failurePolicy={"maxRestarts": 1})
    scene.having(pod(1).failed(137), pod(1).replacing().created(30).running()).settle()
    assert scene.told("Ready")[2].endswith("3 pods running")
    scene.having(pod(0).failed(137), pod(0).replacing().created(30).running()).settle()
    assert scene.run["attempt"] == 1


def test_who_was_stopped_by_a_suspension_that_is_over_does_not_start_the_gang_again() -> None:
    scene = running()
    ended = [pod(index).failed(143).deleted() for index in range(3)]
    again = job(training=GANG).started(since=60)
    scene.having(again, *ended).after(61).settle()
    assert scene.run["attempt"] == 1


def test_when_the_job_gives_up_the_attempt_has_failed() -> None:
    scene = failing(pod(1).failed(137), job(training=GANG).started().failing()).after(11)
    scene.act()
    assert (scene.run["attempt"], scene.run["lastFailure"]["reason"]) == (2, "Killed")


def test_a_worker_on_a_lost_node_is_deleted_so_that_the_job_replaces_it() -> None:
    scene = running().having(a_node("node-1").silent()).after(14)
    assert scene.waits() == 1
    plan = scene.after(15).plan()
    assert [(ref.name, ref.force) for ref in plan.delete] == [("digits-1-1-1-x7k2p", False)]
    scene.act()
    assert (scene.run["attempt"], scene.run["state"]) == (1, "Running")


def test_a_wish_to_be_elastic_is_for_the_next_run() -> None:
    scene = gang_of_two().edit(elastic={"minNodes": 1, "maxNodes": 4}).having(a_node("node-1").silent()).after(60)
    assert not any(ref.force for ref in scene.plan().delete)


def test_the_first_pod_on_a_lost_node_starts_the_gang_again() -> None:
    scene = running().having(a_node("node-0").silent()).after(15)
    scene.act()
    assert (scene.run["attempt"], scene.run["lastFailure"]["reason"]) == (2, "NodeLost")


@pytest.mark.parametrize(("nodes", "width"), [(4, 4), (2, 2)])
def test_a_changed_width_scales_the_job_and_starts_no_run(nodes: int, width: int) -> None:
    scene = running().edit(nodes=nodes)
    assert scaled(scene) == [{"parallelism": width, "completions": width}]
    scene.settle()
    assert (scene.run["number"], scene.run["attempt"], scaled(scene)) == (1, 1, [])
    assert scene.names("ControllerRevision") == ["digits-1"]


def test_a_worker_that_is_scaled_away_is_no_failure() -> None:
    scene = running().edit(nodes=2).settle()
    scene.having(pod(2).failed(1, "SignalException: got signal 15").deleted()).settle()
    assert (scene.run["attempt"], scene.run["state"]) == (1, "Running")


def test_a_changed_width_while_it_is_suspended_counts_when_it_resumes() -> None:
    scene = Scene(GANG).settle().edit(suspend=True).settle().edit(nodes=4).settle().edit(suspend=False).settle()
    spec = scene.child("Job", "digits-1-1")["spec"]
    assert (spec["suspend"], spec["parallelism"], spec["completions"]) == (False, 4, 4)


def test_the_next_attempt_has_the_width_of_now() -> None:
    scene = running().edit(nodes=4).settle().having(pod(0).failed(137))
    scene.settle()
    assert scene.child("Job", "digits-1-2")["spec"]["parallelism"] == 4


def test_other_bounds_are_another_spec() -> None:
    scene = running().edit(elastic={"minNodes": 1, "maxNodes": 8}).settle()
    scene.having(pod(0).succeeded(), job(training=GANG).started().succeeded()).settle()
    assert scene.run["number"] == 2


def test_the_width_of_a_gang_that_is_not_elastic_is_for_the_next_run() -> None:
    scene = Scene(a_training("digits").nodes(2)).settle().edit(nodes=3)
    assert scaled(scene) == []


def test_the_first_pods_last_words_are_those_of_the_run() -> None:
    scene = running()
    words = [pod(1).succeeded(step=1, metrics={"loss": 9}), pod(0).succeeded(step=100, metrics={"loss": 1})]
    scene.having(*words, job(training=GANG).started().succeeded()).settle()
    assert (scene.state, scene.run["progress"]["step"]) == ("Succeeded", 100)
    assert scene.run["completionTime"] == at()
