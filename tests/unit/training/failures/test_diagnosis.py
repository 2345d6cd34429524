"""Why an attempt failed: each cause, and who of several is to blame."""

import pytest
from tests.builders import a_node
from tests.builders.objects import Obj, at
from tests.builders.pods import Pod
from tests.unit.training.gangs import created, failing, job, pod, running

from lamplighter.training.view import TrainingOptions


def ended(*around: Pod) -> Obj:
    """Why the attempt ended when its Job fails with these pods; the run may have ended, too."""
    scene = failing(*around).after(11)
    scene.act()
    run = scene.run
    return dict(run.get("failure") or run["lastFailure"])


def verdict(failure: Obj) -> tuple[str, str]:
    """Cause and reason."""
    return failure["cause"], failure["reason"]


@pytest.mark.parametrize(
    ("its_end", "cause", "reason"),
    [
        (pod().told(1, reason="UserError", message="boom"), "UserError", "UserError"),
        (pod().failed(2, "usage: train.py"), "UserError", "UserError"),
        (pod().told(78, reason="ConfigurationError", message="no entrypoint"), "UserError", "ConfigurationError"),
        (pod().failed(128, "no such file", reason="StartError"), "UserError", "ContainerCannotRun"),
        (pod().told(1, reason="MyOwn", message="a script's own reason"), "UserError", "MyOwn"),
        (pod().oom_killed(), "OutOfMemory", "OOMKilled"),
        (pod().told(137, reason="OOMKilled", message="a rank was killed for memory"), "OutOfMemory", "OOMKilled"),
        (pod().told(75, reason="Hang", message="rank 3 is silent"), "Hang", "Hang"),
        (pod().told(1, reason="GPUFailed", message="uncorrectable ECC error"), "Hardware", "GPUFailed"),
        (pod().evicted("UnexpectedAdmissionError", "Allocate failed"), "Hardware", "UnexpectedAdmissionError"),
        (pod().told(69, reason="MasterUnreachable", message="no name"), "Infrastructure", "MasterUnreachable"),
        (pod().failed(137, ""), "Infrastructure", "Killed"),
        (pod().failed(143, ""), "Infrastructure", "Killed"),
        (pod().evicted("OutOfcpu", "Node didn't have enough resource"), "Infrastructure", "OutOfcpu"),
        (pod().status(phase="Failed"), "Infrastructure", "PodFailed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_a_pod_ended_tells_the_cause(its_end: Pod, cause: str, reason: str) -> None:
    assert verdict(ended(its_end)) == (cause, reason)


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": at(), "message": "mesh: boom"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": at(), "message": ""}}


@pytest.mark.parametrize(
    "its_pod",
    [
        pod().running().with_sidecar({"running": {"startedAt": at(1)}}, last=CRASHED),
        pod().running().with_sidecar(CRASHED),
        pod().waiting("PodInitializing").with_sidecar(CRASHED),
        pod().running().with_sidecar({"waiting": {"reason": "CrashLoopBackOff"}}, last=CRASHED),
    ],
    ids=["runs again", "ended", "ended before the trainer began", "waits"],
)
def test_a_sidecar_that_is_started_again_ends_no_run(its_pod: Pod) -> None:
    scene = running().having(its_pod)
    scene.act()
    assert (scene.run["attempt"], "failure" in scene.run) == (1, False)


def test_how_a_sidecar_was_ended_does_not_hide_how_the_trainer_ended() -> None:
    assert verdict(ended(pod().failed(1, "ValueError: boom").with_sidecar(KILLED))) == ("UserError", "UserError")


def test_a_copy_of_a_pod_ends_no_run() -> None:
    copy = pod().failed(1, "ValueError: boom").meta(name="looked-into", uid="copy", ownerReferences=[])
    scene = running().having(copy)
    scene.act()
    assert (scene.run["attempt"], scene.run["state"]) == (1, "Running")


def test_an_init_container_that_failed_its_pod_is_to_blame() -> None:
    its_pod = pod().waiting("PodInitializing").with_sidecar(CRASHED).status(phase="Failed")
    assert verdict(ended(its_pod)) == ("UserError", "UserError")


@pytest.mark.parametrize(
    ("its_end", "cause", "reason", "said"),
    [
        (
            pod().disrupted("PreemptionByScheduler"),
            "Preempted",
            "Preempted",
            "was preempted by pods of higher priority",
        ),
        (
            pod().disrupted("EvictionByEvictionAPI"),
            "Preempted",
            "Evicted",
            "was evicted, for example by a drain of its Node",
        ),
        (
            pod().disrupted("DeletionByTaintManager"),
            "Preempted",
            "Evicted",
            "was evicted because it does not tolerate a taint of its Node",
        ),
        (pod().disrupted("DeletionByPodGC"), "Infrastructure", "NodeLost", "was removed because its Node is gone"),
        (pod().disrupted("TerminationByKubelet"), "Infrastructure", "Evicted", "was terminated by the kubelet"),
        (pod().disrupted("ByAnotherController"), "Preempted", "Evicted", "was disrupted (ByAnotherController)"),
        (pod().evicted(), "Infrastructure", "Evicted", "The node was low on resource: memory."),
        (pod().shut_down(), "Preempted", "NodeShutdown", "was terminated because its Node is shutting down"),
        (pod().shut_down("NodeShutdown"), "Preempted", "NodeShutdown", "imminent node shutdown"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_kubernetes_says_of_a_disruption_tells_the_cause(its_end: Pod, cause: str, reason: str, said: str) -> None:
    failure = ended(its_end)
    assert verdict(failure) == (cause, reason)
    assert said in failure["message"]
    assert failure["node"] == "node-0"


@pytest.mark.parametrize(
    "text",
    [
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
        'Usage of EmptyDir volume "tmp" exceeds the limit "1Gi".',
        "Container trainer exceeded its local ephemeral storage limit 1Gi.",
    ],
)
def test_who_fills_the_disk_beyond_its_own_limit_is_not_the_victim_of_its_node(text: str) -> None:
    failure = ended(pod().evicted(message=text).disrupted("TerminationByKubelet"))
    assert verdict(failure) == ("UserError", "OutOfDisk")
    assert "raise ephemeral-storage" in failure["message"]
    assert text in failure["message"]


def test_a_taint_of_a_node_that_does_not_answer_is_a_lost_node() -> None:
    scene = running().having(a_node("node-0").silent(), pod().running().disrupted("DeletionByTaintManager"))
    scene.act()
    assert verdict(scene.run["lastFailure"]) == ("Infrastructure", "NodeLost")


RESTARTED = [pod(0).failed(255, "epoch 3\nloss 0.2", reason="Unknown"), pod(0).unseen()]


@pytest.mark.parametrize("its_pod", RESTARTED)
def test_a_container_whose_end_is_unknown_is_a_failure_of_its_node(its_pod: Pod) -> None:
    failure = ended(its_pod, pod(1).running())
    assert verdict(failure) == ("Infrastructure", "ContainerStatusUnknown")
    assert "for example because its Node restarted" in failure["message"]
    assert failure["log"] in (["epoch 3", "loss 0.2"], [])


@pytest.mark.parametrize("its_pod", RESTARTED)
def test_what_ends_for_want_of_a_container_that_was_gone_follows_from_it(its_pod: Pod) -> None:
    failure = ended(its_pod, pod(1).failed(1, "RuntimeError: timed out", ended=-30))
    assert verdict(failure) == ("Infrastructure", "ContainerStatusUnknown")


def test_a_container_that_was_gone_when_its_pod_was_deleted_tells_nothing() -> None:
    scene = running().having(pod(0).unseen().deleted(), pod(1).failed(1, "ValueError: boom"))
    scene.act()
    assert verdict(scene.run["failure"]) == ("UserError", "UserError")


def test_a_disruption_ends_the_attempt_before_its_pod_has_ended() -> None:
    scene = running().having(pod().running().disrupted("PreemptionByScheduler"))
    scene.act()
    assert scene.run["attempt"] == 2


def test_an_error_ends_the_attempt_before_the_job_says_so() -> None:
    scene = running().having(pod().failed(1, "ValueError: boom"))
    scene.act()
    assert scene.state == "Failed"


def test_an_echo_waits_for_the_job_or_for_the_root() -> None:
    scene = running().having(pod(0).told(1, reason="PeerLost", message="closed by peer"))
    assert scene.waits() == 1
    scene.having(pod(1).told(137, ended=5, reason="OOMKilled", message="out of memory")).act()
    assert verdict(scene.run["failure"]) == ("OutOfMemory", "OOMKilled")


@pytest.mark.parametrize("reason", ["PeerLost", "Terminated"])
def test_the_root_is_blamed_and_not_its_echo_whichever_came_first(reason: str) -> None:
    echo = pod(0).told(143 if reason == "Terminated" else 1, ended=-9, reason=reason, message="lost")
    assert verdict(ended(echo, pod(1).oom_killed())) == ("OutOfMemory", "OOMKilled")


def test_of_two_roots_the_first_counts() -> None:
    first = pod(1).told(75, ended=1, reason="Hang", message="silent")
    assert verdict(ended(pod(0).failed(1, "ValueError: boom", ended=2), first)) == ("Hang", "Hang")


def test_who_was_preempted_is_the_root_of_who_lost_a_peer() -> None:
    preempted = pod(1).running().disrupted("PreemptionByScheduler", since=1)
    echo = pod(0).told(1, reason="PeerLost", message="closed by peer")
    assert verdict(ended(echo, preempted)) == ("Preempted", "Preempted")


def test_only_echoes_are_infrastructure() -> None:
    echoes = [pod(index).told(1, reason="PeerLost", message="closed by peer") for index in (0, 1)]
    assert verdict(ended(*echoes)) == ("Infrastructure", "PeerLost")


def test_a_pod_that_was_deleted_is_named_when_the_job_fails_because_of_it() -> None:
    scene = running().having(pod().running().deleted())
    assert scene.waits() == 1
    scene.having(job().started().failing()).after(11).act()
    assert verdict(scene.run["lastFailure"]) == ("Infrastructure", "PodDeleted")
    assert scene.run["lastFailure"]["message"].startswith("pod digits-1-1-0-x7k2p was deleted while the run needed it")


def test_a_deleted_pod_whose_script_takes_sigterm_for_an_error_is_no_error_of_the_user() -> None:
    scene = failing(pod(0).failed(1, "SignalException: got signal 15").deleted(), pod(1).running()).after(11)
    scene.act()
    assert verdict(scene.run["lastFailure"]) == ("Infrastructure", "PodDeleted")


def test_who_was_deleted_with_the_others_is_not_blamed_for_the_root() -> None:
    echo = pod(0).failed(1, "ConnectionReset", ended=-5).deleted()
    assert verdict(ended(echo, pod(1).failed(1, "ValueError: boom", ended=2))) == ("UserError", "UserError")


def test_a_job_without_any_pod_that_tells_is_infrastructure() -> None:
    scene = failing().without("Pod", "digits-1-1-0-x7k2p").without("Pod", "digits-1-1-1-x7k2p").after(11)
    scene.act()
    assert scene.run["lastFailure"]["cause"] == "Infrastructure"


@pytest.mark.parametrize("told", ["x" * 9000, ""])
def test_a_job_with_a_long_message_or_none_can_be_reported(told: str) -> None:
    scene = created().having(job().condition("Failed", since=-60, reason="", message=told))
    scene.act()
    assert scene.run["lastFailure"]["reason"] == "JobFailed"
    assert len(scene.run["lastFailure"]["message"]) <= 4096


def test_an_unhealthy_device_ends_the_attempt_and_names_device_and_node() -> None:
    scene = running().having(pod(1).with_device("Unhealthy"))
    scene.act()
    failure = scene.run["lastFailure"]
    assert verdict(failure) == ("Hardware", "GPUUnhealthy")
    assert "device GPU-7 of nvidia.com/gpu in pod digits-1-1-1-x7k2p is unhealthy; Node node-1 is" in failure["message"]


@pytest.mark.parametrize("health", ["Healthy", "Unknown"])
def test_a_device_that_is_not_known_to_be_broken_is_left_alone(health: str) -> None:
    assert running().having(pod(1).with_device(health)).plan().empty


def test_a_node_with_a_bad_condition_ends_the_attempt() -> None:
    scene = running()
    scene.options = TrainingOptions(bad_node_conditions=frozenset({"GPUUnhealthy", "KernelDeadlock"}))
    scene.having(a_node("node-1").broken("GPUUnhealthy")).act()
    failure = scene.run["lastFailure"]
    assert verdict(failure) == ("Hardware", "NodeUnhealthy")
    assert "Node node-1 has the condition GPUUnhealthy: Xid 79: GPU has fallen off the bus." in failure["message"]


def test_a_condition_that_no_setting_names_says_nothing() -> None:
    assert running().having(a_node("node-1").broken("DiskPressure")).plan().empty


def test_a_bad_condition_that_is_over_says_nothing() -> None:
    scene = running()
    scene.options = TrainingOptions(bad_node_conditions=frozenset({"GPUUnhealthy"}))
    assert scene.having(a_node("node-1").condition("GPUUnhealthy", status="False")).plan().empty


def test_a_lost_peer_is_told_from_an_error_without_our_launcher_too() -> None:
    log = "RuntimeError: [gloo/transport/tcp/pair.cc:553] Connection closed by peer [10.0.0.1]:9\nChildFailedError:"
    scene = failing(pod(0).failed(1, log), pod(1).failed(1, log)).after(11)
    scene.act()
    assert verdict(scene.run["lastFailure"]) == ("Infrastructure", "PeerLost")


def test_a_node_that_only_the_watch_does_not_know_is_asked_for_and_not_lost() -> None:
    scene = running().having(pod(0).running().on("new").status(startTime=at())).after(60)
    assert ("Node", "new") in [(ref.kind, ref.name) for ref in scene.reads]
    assert scene.plan().status is not None
    scene.related["Node", "new"] = a_node("new").obj()
    assert scene.plan().status is None
