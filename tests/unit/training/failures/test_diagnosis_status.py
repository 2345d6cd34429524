"""How a run fails, and what the status says about it."""

import json

import pytest
from tests.builders import Scene, a_job, a_pod, a_training, at
from tests.builders.pods import Pod

from lamplighter.core.plan import Plan

TRAINING = a_training("digits").nodes(2).obj()
JOB = a_job(TRAINING)
SUBJECT = "run 1, stage train, attempt 1"
ADVICE = ". Correct the script or its arguments; a changed spec or lamplighter.dev/retrain starts a new run"


def started(*around: Pod) -> Scene:
    """A scene in which the first Job was created."""
    scene = Scene(TRAINING)
    scene.act()
    return scene.having(*around)


def failed(*pods: Pod) -> Scene:
    """A scene in which the Job is failing and these pods tell why."""
    scene = started(*pods).having(JOB_FAILING)
    scene.act()
    return scene


JOB_FAILING = a_job(TRAINING).failing()


def pod(index: int = 0) -> Pod:
    return a_pod(JOB.obj(), index)


def test_a_run_fails_on_failure_target_before_all_pods_have_ended() -> None:
    scene = failed(pod(0).failed(1, "ValueError: boom"), pod(1).running())
    assert scene.state == "Failed"
    assert scene.told("Stalled")[0] == "True"
    assert scene.told("Reconciling")[0] == "False"


def test_a_failed_run_is_remembered_with_its_failure_and_announced_by_an_event() -> None:
    scene = started(pod(0).failed(3, "ValueError: boom").on("node-7")).having(JOB_FAILING).after(60)
    plan = scene.act()
    failure = {
        "reason": "UserError",
        "message": f"container trainer of pod digits-1-1-0-x7k2p ended with exit code 3: ValueError: boom{ADVICE}",
        "cause": "UserError",
        "pod": "digits-1-1-0-x7k2p",
        "node": "node-7",
        "exitCode": 3,
        "attempt": 1,
        "log": ["ValueError: boom"],
    }
    record = {
        "run": 1,
        "state": "Failed",
        "failure": {**failure, "log": []},
        "startTime": at(),
        "completionTime": at(60),
        "restarts": 0,
        "executions": 1,
        "metrics": {},
    }
    assert scene.obj["status"]["history"] == [record]
    assert scene.obj["status"]["run"]["failure"] == failure
    assert [(event.type, event.reason, event.message) for event in plan.events] == [
        ("Warning", "RunFailed", f"{SUBJECT}: {failure['message']}")
    ]


def test_a_failed_run_is_not_started_again() -> None:
    scene = failed(pod().failed()).settle()
    assert scene.after(3600).plan().empty
    assert scene.obj["status"]["run"]["number"] == 1


def test_out_of_memory_says_so_and_what_to_do() -> None:
    scene = failed(pod().oom_killed())
    status, reason, message = scene.told("Ready")
    assert (status, reason) == ("False", "OOMKilled")
    assert message == (
        f"{SUBJECT}: container trainer of pod digits-1-1-0-x7k2p used more memory than its limit. Raise the memory "
        "limit, or lower the batch size or the number of data workers. Changing the spec starts the next run"
    )


def test_the_launchers_json_gives_reason_and_message() -> None:
    scene = failed(pod().told(1, reason="UserError", exitCode=1, message="ValueError: böse Eingabe", tail=["a"]))
    assert scene.told("Ready")[1:] == (
        "UserError",
        f"{SUBJECT}: container trainer of pod digits-1-1-0-x7k2p ended with exit code 1: ValueError: böse Eingabe"
        f"{ADVICE}",
    )


def test_of_plain_log_lines_the_last_one_counts() -> None:
    scene = failed(pod().failed(1, 'Traceback (most recent call last):\n  File "x"\nKeyError: 7\n\n  \n'))
    assert scene.told("Ready")[2].endswith(f"ended with exit code 1: KeyError: 7{ADVICE}")


def test_a_container_that_says_nothing_has_no_last_words() -> None:
    assert failed(pod().failed(1, "")).told("Ready")[2].endswith(f"exit code 1: no termination message{ADVICE}")


def test_the_pod_that_failed_first_is_the_cause() -> None:
    scene = failed(pod(0).failed(1, "ConnectionReset", ended=5), pod(1).failed(1, "ValueError: boom", ended=2))
    assert scene.told("Ready")[2].endswith(f"ValueError: boom{ADVICE}")


@pytest.mark.parametrize("code", [137, 143])
def test_a_pod_that_was_only_told_to_stop_is_not_the_cause(code: int) -> None:
    scene = failed(pod(0).failed(code, "stopped", ended=1), pod(1).failed(1, "ValueError: boom", ended=2))
    assert scene.told("Ready")[2].endswith(f"ValueError: boom{ADVICE}")


def test_who_only_saw_another_go_is_not_blamed_before_the_other_could_tell() -> None:
    scene = started(pod(0).told(1, reason="PeerLost", message="closed by peer"), pod(1).running()).having(JOB_FAILING)
    assert scene.plan() == Plan(requeue_after=1)
    scene.having(pod(1).failed(1, "ValueError: boom", ended=2)).act()
    assert scene.told("Ready")[1] == "UserError"
    assert scene.told("Ready")[2].endswith(f"ValueError: boom{ADVICE}")


def test_who_saw_another_go_is_quoted_when_the_other_does_not_tell_in_time() -> None:
    scene = started(pod(0).told(1, reason="PeerLost", message="closed by peer"), pod(1).running()).having(JOB_FAILING)
    scene.after(11).act()
    assert scene.run["lastFailure"]["reason"] == "PeerLost"


def test_an_out_of_memory_kill_is_a_cause_although_it_is_a_signal() -> None:
    scene = failed(pod(0).failed(1, "ConnectionReset", ended=5), pod(1).oom_killed())
    assert scene.told("Ready")[1] == "OOMKilled"


def test_a_command_that_cannot_be_started_says_so() -> None:
    scene = failed(pod().failed(128, 'exec: "/bin/sh": no such file', reason="StartError"))
    assert scene.told("Ready")[1] == "ContainerCannotRun"
    assert "/bin/sh" in scene.told("Ready")[2]


def test_a_reason_that_the_api_would_refuse_is_made_acceptable() -> None:
    scene = failed(pod().evicted("OutOfnvidia.com/gpu", "Node didn't have enough resource: nvidia.com/gpu"))
    assert scene.run["lastFailure"]["reason"] == "OutOfnvidiacomgpu"


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"reason": "Ошибка", "message": "x"}),
        json.dumps({"reason": "404", "message": "x"}),
        json.dumps({"reason": "two words", "message": "x"}),
        json.dumps({"reason": 7, "message": {"a": 1}}),
        json.dumps({"reason": "A" * 200}),
        '{"message": "half a character \\ud83d"}',
        "[" * 4000,
        "[]",
        "null",
        "\x00\x01",
        "😀" * 1000,
    ],
    ids=lambda message: message[:24].encode("unicode_escape").decode(),
)
def test_no_termination_message_can_stop_the_operator(message: str) -> None:
    scene = failed(pod().failed(1, message))
    assert scene.state == "Failed"
    assert scene.told("Ready")[1] == "UserError"
    json.dumps(scene.obj["status"], ensure_ascii=False).encode()


def test_the_failure_waits_for_the_pod_that_explains_it() -> None:
    scene = started().having(JOB_FAILING).after(5)
    plan = scene.plan()
    assert plan == Plan(requeue_after=1)
    scene.having(pod().failed(1, "ValueError: boom")).act()
    assert scene.told("Ready")[2].endswith(f"ValueError: boom{ADVICE}")


def test_without_any_evidence_the_job_itself_is_quoted_after_a_while() -> None:
    scene = started().having(JOB_FAILING).after(11)
    scene.act()
    failure = scene.run["lastFailure"]
    assert (failure["reason"], failure["cause"]) == ("BackoffLimitExceeded", "Infrastructure")
    assert failure["message"] == ("Job digits-1-1: too many failures. Its pods were deleted, and no Event says why")


@pytest.mark.parametrize("skew", [-5, 5])
def test_the_wait_for_evidence_bears_clocks_that_differ(skew: int) -> None:
    scene = started().having(a_job(TRAINING).failing(since=skew))
    assert scene.plan() == Plan(requeue_after=1)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_clock_that_is_far_off_does_not_hold_up_the_verdict(skew: int) -> None:
    scene = started().having(a_job(TRAINING).failing(since=skew))
    scene.act()
    assert scene.run["attempt"] == 2


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_pulled_stalls_the_run_but_does_not_end_it(reason: str) -> None:
    scene = started(pod(0).waiting(reason, "not found"), pod(1).waiting(reason, "not found"))
    plan = scene.act()
    assert scene.state == "ImagePullFailed"
    assert scene.told("Stalled") == (
        "True",
        "ImagePullFailed",
        f"{SUBJECT}: container trainer cannot pull lamplighter/pytorch:dev: not found. "
        "Check the image's name, its registry and imagePullSecrets",
    )
    assert scene.obj["status"]["run"]["state"] == "Pending"
    assert not plan.delete


def test_a_configuration_error_stalls_the_run() -> None:
    scene = started(pod().waiting("CreateContainerConfigError", 'secret "hub" not found'))
    scene.act()
    assert scene.state == "ContainerConfigError"
    assert scene.told("Stalled")[0] == "True"
    assert 'container trainer cannot start: secret "hub" not found' in scene.told("Stalled")[2]


def test_an_unschedulable_pod_is_reported_and_waited_for() -> None:
    scene = started(pod(0).unschedulable(), pod(1).running())
    scene.act()
    assert scene.state == "Unschedulable"
    assert scene.told("Stalled")[0] == "False"
    assert scene.told("Reconciling")[:2] == ("True", "Unschedulable")
    assert "3 Insufficient nvidia.com/gpu" in scene.told("Ready")[2]


def test_a_job_that_was_started_and_has_no_pod_says_where_to_look() -> None:
    scene = started().having(a_job(TRAINING).status(startTime=at(), active=0))
    scene.act()
    assert scene.told("Stalled")[:2] == ("True", "PodsRefused")
    assert "kubectl describe job digits-1-1" in scene.told("Stalled")[2]


def test_a_job_whose_pods_are_not_seen_yet_is_only_waited_for() -> None:
    scene = started().having(a_job(TRAINING).status(startTime=at(), active=2)).settle()
    assert (scene.state, scene.told("Stalled")[0]) == ("Pending", "False")


def test_an_obstacle_that_goes_away_is_forgotten() -> None:
    scene = started(pod(0).unschedulable(), pod(1).unschedulable()).settle()
    scene.having(pod(0).running(), pod(1).running()).settle()
    assert scene.state == "Running"
    assert "failure" not in scene.obj["status"]["run"]


def test_a_packaging_that_fails_gives_the_packagers_sentence() -> None:
    training = a_training("digits").packaged().obj()
    scene = Scene(training)
    scene.act()
    scene.having(a_job(training).succeeded()).act()
    job = a_job(training, stage="package")
    said = "spec.package.handler: handler.py is neither in the source nor in the output (found: model.pt)"
    scene.having(job.failing(), a_pod(job.obj()).told(65, reason="PackagingFailed", message=said))
    scene.act()
    assert scene.told("Ready")[1] == "PackagingFailed"
    assert scene.told("Ready")[2].endswith(f"exit code 65: {said}{ADVICE}")
    assert scene.told("Ready")[2].startswith("run 1, stage package, attempt 1")
