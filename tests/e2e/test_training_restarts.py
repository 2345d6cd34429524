"""Every kind of failure ends in its cause, its budget and a sentence that helps, while operators are killed all along.

The gangs run on several nodes and share one volume; each script tells by its attempt what it should do.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests import tools
from tests.e2e import operators
from tests.e2e.gangs import GANG, running, train, workspace
from tests.e2e.world import PATIENCE, Obj, World
from tests.programs.demo.cluster import kubectl
from tests.waiting import wait_until

WAITS_ONCE = GANG + "print('attempt', attempt, flush=True)\ntime.sleep(600 if attempt == 1 else 1)\n"


@pytest.fixture(scope="module", autouse=True)
def killed_operators(operator: None) -> Iterator[None]:
    """Operators are killed at random moments during every test of this module."""
    with operators.under_attack(seed=int(time.time())):
        yield


@pytest.fixture
def reopened(nodes: None) -> Iterator[None]:
    """Nodes that a test drained take pods again afterwards."""
    yield
    kubectl("uncordon", "--selector=kubernetes.io/os=linux")


@pytest.fixture
def healed() -> Iterator[None]:
    """Nodes that a test stopped run again afterwards, and take pods."""
    yield
    subprocess.run([str(tools.ROOT / "tests/cluster/kind.sh"), "heal"], check=True)


def ended(world: World, name: str, reason: str, **more: Any) -> Obj:
    """Wait until a training has failed for good; gives its run."""
    world.ready("modeltraining", name, reason, status="False", **more)
    run: Obj = wait_until(
        f"{name} has failed",
        lambda: (run := world.get("modeltraining", name)["status"]["run"])["state"] == "Failed" and run,
        PATIENCE,
    )
    return run


def succeeded(world: World, name: str, cause: str, *, restarts: int, executions: int) -> Obj:
    """Wait for success; its second attempt followed a failure of this cause."""
    run: Obj = world.succeeded(name)["run"]
    assert run["lastFailure"]["cause"] == cause
    assert run["failures"] == {cause: 1}
    assert (run["attempt"], run["restarts"], run["executions"]) == (2, restarts, executions)
    return run


def patch(world: World, name: str, **spec: Any) -> None:
    world.kubectl("patch", "mt", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def logs(world: World, name: str) -> dict[str, str]:
    """The ranks' logs in the workspace, by attempt and file."""
    path = workspace(world, name)
    files = operators.on_node("lamplighter-control-plane", "sh", "-c", f"cd {path} && ls logs/*/*")
    return {file: operators.on_node("lamplighter-control-plane", "cat", f"{path}/{file}") for file in files.split()}


def test_a_users_error_spends_its_budget_and_keeps_what_it_said(world: World) -> None:
    script = GANG + "print('rank', rank, 'begins', flush=True)\nraise ValueError('the learning rate is a pear')\n"
    train(world, "boom", script, failurePolicy={"maxRestarts": 1})
    run = ended(world, "boom", "UserError")
    assert run["failures"] == {"UserError": 2}
    assert (run["attempt"], run["restarts"], run["executions"]) == (2, 1, 2)
    failure = run["failure"]
    assert failure["cause"] == "UserError"
    assert failure["exitCode"] == 1
    assert failure["node"]
    assert "ValueError: the learning rate is a pear" in failure["log"]  # its output comes through another pipe
    assert "maxRestarts is 1. Correct the script" in failure["message"]
    wait_until(
        "the pod that failed stays to be looked at",
        lambda: world.get("pod", failure["pod"])["status"]["phase"] == "Failed",
        PATIENCE,
    )
    written = logs(world, "boom")
    assert set(written) == {f"logs/attempt-{attempt}/rank-{rank}.log" for attempt in (1, 2) for rank in (0, 1)}
    assert "rank 1 begins" in written["logs/attempt-2/rank-1.log"]


def test_too_little_memory_has_a_cause_of_its_own(world: World) -> None:
    script = GANG + "if rank == 1: x = bytearray(2 * 1024**3)\ntime.sleep(600)\n"
    train(world, "greedy", script, resources={"limits": {"memory": "600Mi"}})
    run = ended(world, "greedy", "OOMKilled")
    assert run["failures"] == {"OutOfMemory": 1}
    assert "Raise the memory limit" in run["failure"]["message"]


def test_a_rank_that_hangs_is_ended_with_its_stacks_in_the_log(world: World) -> None:
    script = GANG + "run.report(step=1, total=2)\ndef stuck():\n    time.sleep(600)\nif attempt == 1: stuck()\n"
    train(world, "stuck", script, failurePolicy={"hangTimeout": "20s"})
    succeeded(world, "stuck", "Hang", restarts=1, executions=2)
    assert any("in stuck" in text for text in logs(world, "stuck").values())


def test_a_pod_that_somebody_deletes_is_infrastructure(world: World) -> None:
    train(world, "robbed", WAITS_ONCE)
    world.kubectl("delete", "pod", running(world, "robbed")[1]["metadata"]["name"], "--wait=false")
    succeeded(world, "robbed", "Infrastructure", restarts=1, executions=2)


def drain(node: str, training: str) -> None:
    """Evict a training's pods from a Node, as before its maintenance."""
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--force")
    kubectl("drain", node, *options, f"--pod-selector=lamplighter.dev/training={training}")


def test_an_eviction_spends_nothing(world: World, reopened: None) -> None:
    train(world, "evicted", WAITS_ONCE, failurePolicy={"maxInfrastructureRestarts": 0})
    pod = running(world, "evicted")[1]
    drain(pod["spec"]["nodeName"], "evicted")
    run = succeeded(world, "evicted", "Preempted", restarts=0, executions=2)
    assert run["lastFailure"]["reason"] == "Evicted"


def test_an_eviction_that_no_operator_lived_to_see_spends_nothing(world: World, reopened: None) -> None:
    train(world, "unseen", WAITS_ONCE, failurePolicy={"maxInfrastructureRestarts": 0})
    pod = running(world, "unseen")[1]
    with operators.away():
        drain(pod["spec"]["nodeName"], "unseen")
        wait_until("no pod is left", lambda: not world.all("pods", "lamplighter.dev/training=unseen"), PATIENCE)
    run = succeeded(world, "unseen", "Preempted", restarts=0, executions=2)
    assert run["lastFailure"]["reason"] == "Evicted"
    assert run["lastFailure"]["message"].endswith("probably by a drain of its Node, which is cordoned")


def test_pods_of_higher_priority_cost_an_execution_and_no_restart(world: World) -> None:
    kubectl(
        "apply",
        "-f",
        "-",
        stdin=json.dumps(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "lamplighter-e2e-urgent"},
                "value": 1000,
            }
        ),
    )
    train(world, "modest", WAITS_ONCE, nodes=1, resources={"limits": {"nvidia.com/gpu": 8}}, procsPerNode=1)
    node = running(world, "modest")[0]["spec"]["nodeName"]
    train(
        world,
        "urgent",
        GANG + "time.sleep(20)\n",
        nodes=1,
        procsPerNode=1,
        resources={"limits": {"nvidia.com/gpu": 8}},
        priorityClassName="lamplighter-e2e-urgent",
        template={"spec": {"nodeSelector": {"kubernetes.io/hostname": node}}},
    )
    run = succeeded(world, "modest", "Preempted", restarts=0, executions=2)
    assert run["lastFailure"]["reason"] == "Preempted"
    world.succeeded("urgent")


def test_a_broken_gpu_is_told_and_its_node_avoided(world: World) -> None:
    train(world, "broken", WAITS_ONCE, nodes=1, resources={"limits": {"nvidia.com/gpu": 1}})
    pod = running(world, "broken")[0]
    wait_until("the broken device is noticed", lambda: _break_device(world, pod, "GPU-7"), PATIENCE)
    run = succeeded(world, "broken", "Hardware", restarts=1, executions=2)
    node = pod["spec"]["nodeName"]
    assert run["avoidedNodes"] == [node]
    assert "GPU-7" in run["lastFailure"]["message"]
    (second,) = world.all("pods", "lamplighter.dev/training=broken,lamplighter.dev/attempt=2")
    assert second["spec"]["nodeName"] != node


@pytest.mark.alone
def test_a_broken_node_is_told_and_avoided(world: World) -> None:
    train(world, "deadlocked", WAITS_ONCE, nodes=1)
    node = running(world, "deadlocked")[0]["spec"]["nodeName"]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {"type": "KernelDeadlock", "reason": "DockerHung", "message": "a task hangs", "lastTransitionTime": now}
    try:
        _tell_of_node(node, {**entry, "status": "True"})
        run = succeeded(world, "deadlocked", "Hardware", restarts=1, executions=2)
    finally:
        _tell_of_node(node, {**entry, "status": "False"})
    assert run["lastFailure"]["reason"] == "NodeUnhealthy"
    assert run["avoidedNodes"] == [node]
    (second,) = world.all("pods", "lamplighter.dev/training=deadlocked,lamplighter.dev/attempt=2")
    assert second["spec"]["nodeName"] != node


def test_what_cannot_start_fails_in_time_when_a_time_is_given(world: World) -> None:
    train(world, "imageless", WAITS_ONCE, image="registry.invalid/nothing:1", failurePolicy={"startTimeout": "8s"})
    train(
        world,
        "giant",
        WAITS_ONCE,
        resources={"requests": {"cpu": "4000"}},
        failurePolicy={"startTimeout": "8s"},
    )
    assert ended(world, "imageless", "ImagePullFailed")["failure"]["cause"] == "Image"
    run = ended(world, "giant", "Unschedulable")
    assert run["failure"]["cause"] == "Unschedulable"
    assert "startTimeout" in run["failure"]["message"]
    wait_until("its pods are gone", lambda: not world.all("pods", "lamplighter.dev/training=giant"), PATIENCE)


def test_a_deadline_ends_a_run_and_its_pods(world: World) -> None:
    train(world, "late", WAITS_ONCE, activeDeadline="20s")
    run = ended(world, "late", "DeadlineExceeded")
    assert run["failure"]["cause"] == "Deadline"
    wait_until("its pods are gone", lambda: not world.all("pods", "lamplighter.dev/training=late"), PATIENCE)


def test_suspension_costs_an_execution_and_no_restart(world: World) -> None:
    script = GANG + "mark = f'{os.environ[\"LAMPLIGHTER_OUTPUT_DIR\"]}/mark-{rank}'\n"
    script += "begun = os.path.exists(mark)\nopen(mark, 'w').close()\nprint('asleep', flush=True)\n"
    script += "time.sleep(1 if begun else 600)\n"
    train(world, "sleeper", script)
    for pod in running(world, "sleeper"):
        name = pod["metadata"]["name"]
        wait_until(f"{name} sleeps", lambda name=name: "asleep" in world.kubectl("logs", name), PATIENCE)
    patch(world, "sleeper", suspend=True)
    world.ready("modeltraining", "sleeper", "Suspended")
    patch(world, "sleeper", suspend=False)
    run = world.succeeded("sleeper")["run"]
    assert (run["attempt"], run["restarts"], run["executions"]) == (1, 0, 2)
    assert "lastFailure" not in run


@pytest.mark.alone
def test_a_node_that_dies_takes_nothing_with_it(world: World, healed: None) -> None:
    train(
        world,
        "struck",
        WAITS_ONCE,
        topology={"spread": "kubernetes.io/hostname", "spreadPolicy": "Required"},
        template={"spec": {"affinity": _not_on_the_control_plane()}},
    )
    pod = running(world, "struck")[1]
    subprocess.run(["docker", "stop", "--time", "2", pod["spec"]["nodeName"]], check=True, capture_output=True)
    wait_until(
        "its loss is told",
        lambda: (
            world.get("modeltraining", "struck")["status"]["run"].get("lastFailure", {}).get("cause")
            == "Infrastructure"
        ),
        PATIENCE,
    )
    wait_until(
        "the pod that nobody ends any more is removed",
        lambda: not world.get("pod", pod["metadata"]["name"]),
        PATIENCE,
    )
    subprocess.run([str(tools.ROOT / "tests/cluster/kind.sh"), "heal"], check=True)
    world.succeeded("struck")


def _tell_of_node(node: str, condition: Obj) -> None:
    """As the node-problem-detector does."""
    body = json.dumps({"status": {"conditions": [condition]}})
    kubectl("patch", "node", node, "--subresource=status", "--type=strategic", "-p", body)


def _break_device(world: World, pod: Obj, device: str) -> bool:
    """Tell of a broken device, as the kubelet does; True when the next attempt is there.

    The kubelet writes the status anew now and then and knows nothing of it, while no operator may be alive to see it.
    """
    training = pod["metadata"]["labels"]["lamplighter.dev/training"]
    if world.get("modeltraining", training)["status"]["run"]["attempt"] > 1:
        return True
    name = pod["metadata"]["name"]
    statuses = world.get("pod", name).get("status", pod["status"])["containerStatuses"]
    resources = [{"resourceID": device, "health": "Unhealthy"}]
    statuses[0]["allocatedResourcesStatus"] = [{"name": "nvidia.com/gpu", "resources": resources}]
    body = json.dumps({"status": {"containerStatuses": statuses}})
    world.kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "-p", body, check=False)
    return False


def _not_on_the_control_plane() -> Obj:
    """The API server must not be what dies."""
    term = {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}
    terms = [{"matchExpressions": [term]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
