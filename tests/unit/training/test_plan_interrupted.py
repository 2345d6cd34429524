"""A start or a step that was interrupted by a crash of the operator or a refusal, and what changed meanwhile."""

import pytest
from tests.builders import Scene, a_config_map, a_job, a_pod, a_training

from lamplighter.core.objects import Ref

TRAINING = a_training("digits").nodes(2).packaged().with_source("code").obj()
WRITES = 6  # revision, source copy; Job, Service, claim; status


def interrupted_start(writes: int) -> Scene:
    """A scene in which the operator crashed after this many writes of the start."""
    scene = Scene(TRAINING, a_config_map("code"))
    scene.act(writes)
    return scene


def run(scene: Scene) -> int:
    return int(scene.obj["status"]["run"]["number"])


@pytest.mark.parametrize("writes", range(WRITES + 1))
def test_a_start_that_was_interrupted_ends_as_if_nothing_had_happened(writes: int) -> None:
    undisturbed = interrupted_start(WRITES).settle()
    scene = interrupted_start(writes).settle()
    assert sorted(scene.children) == sorted(undisturbed.children)
    assert scene.obj["status"] == undisturbed.obj["status"]


@pytest.mark.parametrize("writes", [3, 4, 5])
def test_a_run_whose_job_exists_continues_with_the_spec_it_was_started_with(writes: int) -> None:
    scene = interrupted_start(writes).edit(image="new")
    scene.act()
    assert run(scene) == 1
    assert scene.names("Job") == ["digits-1-1"]
    scene.having(a_job(TRAINING).succeeded()).act()
    (container,) = scene.child("Job", "digits-1-package-1")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "lamplighter/pytorch:dev"


@pytest.mark.parametrize("writes", [1, 2])
def test_a_frozen_spec_that_got_no_job_is_passed_over_when_the_spec_is_another_one_now(writes: int) -> None:
    scene = interrupted_start(writes).edit(image="new").settle()
    assert run(scene) == 2
    assert scene.names("Job") == ["digits-2-1"]


@pytest.mark.parametrize("writes", [1, 2])
def test_what_was_passed_over_is_tidied_away(writes: int) -> None:
    scene = interrupted_start(writes).edit(image="new").settle()
    assert scene.names("ControllerRevision") == ["digits-2"]
    assert scene.names("ConfigMap") == ["digits-2"]


def test_the_job_of_an_unrecorded_start_is_read_when_the_watch_has_not_delivered_it() -> None:
    scene = interrupted_start(4)
    job = scene.child("Job", "digits-1-1")
    scene.without("Job", "digits-1-1")
    assert scene.reads == [Ref("Job", "team", "digits-1-1"), Ref("ConfigMap", "team", "code")]
    scene.related["Job", "digits-1-1"] = job
    scene.edit(image="new").act()
    assert run(scene) == 1
    assert scene.names("Job") == []


def test_a_run_whose_job_exists_continues_although_its_source_is_gone() -> None:
    scene = interrupted_start(3).without("ConfigMap", "code")
    del scene.children["ConfigMap", "digits-1"]  # the watch of ConfigMaps is behind
    scene.act()
    assert scene.state == "Pending"


def finished_and_interrupted_start() -> Scene:
    """Run 1 is over; the operator died when it had created the Job of run 2."""
    training = a_training("digits").obj()
    scene = Scene(training).settle().having(a_job(training).succeeded()).settle()
    scene.edit(image="new").act(2)
    assert scene.names("Job") == ["digits-1-1", "digits-2-1"]
    assert run(scene) == 1
    return scene


def test_a_run_that_was_begun_continues_although_the_change_that_asked_for_it_is_taken_back() -> None:
    scene = finished_and_interrupted_start().edit(image="lamplighter/pytorch:dev")
    scene.act()
    assert run(scene) == 2


def test_a_run_that_was_begun_continues_although_its_request_is_taken_back() -> None:
    training = a_training("digits").obj()
    scene = Scene(training).settle().having(a_job(training).succeeded()).settle()
    scene.annotate(retrain="1").act(2)
    scene.annotate(retrain=None).act()
    assert run(scene) == 2


def test_a_run_that_was_begun_comes_before_one_that_was_only_frozen() -> None:
    scene = Scene(a_training("digits"))
    scene.act(1)
    scene.edit(image="new").act(2)
    assert scene.names("Job") == ["digits-2-1"]
    scene.edit(image="lamplighter/pytorch:dev").act()
    assert run(scene) == 2
    assert scene.names("Job") == ["digits-2-1"]


def test_a_package_stage_that_was_interrupted_continues() -> None:
    scene = interrupted_start(WRITES).settle().having(a_job(TRAINING).succeeded())
    scene.act(1)
    assert scene.obj["status"]["run"]["stage"] == "train"
    plan = scene.act()
    assert not any(plan.create)
    assert scene.obj["status"]["run"]["job"] == "digits-1-package-1"


def test_a_restart_that_was_interrupted_continues() -> None:
    training = a_training("digits").on_change("Restart")
    scene = Scene(training).settle().edit(image="new")
    scene.act()
    scene.act(2)
    assert scene.names("Job") == ["digits-1-1", "digits-2-1"]
    scene.settle()
    assert (run(scene), scene.names("Job")) == (2, ["digits-2-1"])


# a restart of the gang that is interrupted


def failed(training: object = TRAINING) -> Scene:
    """A scene in which the first attempt ran and lost a pod."""
    scene = Scene(training, a_config_map("code")).settle()
    job = a_job(scene.obj).started()
    return scene.having(job, a_pod(job.obj()).disrupted("DeletionByPodGC"))


def test_a_failure_is_written_down_before_the_next_attempt_gets_its_job() -> None:
    scene = failed()
    plan = scene.act()
    assert not any(plan.create)
    assert (scene.run["attempt"], scene.state, scene.names("Job")) == (2, "Restarting", ["digits-1-1"])
    assert scene.settle().names("Job") == ["digits-1-1", "digits-1-2"]


def test_who_dies_in_a_restart_keeps_to_it_although_the_pods_say_something_else_by_now() -> None:
    scene = failed()
    scene.act()
    scene.act(1)  # the Job of attempt 2
    scene.having(a_job(scene.obj).started().succeeded()).settle()
    assert (scene.run["attempt"], scene.run["restarts"], scene.run["state"]) == (2, 1, "Pending")
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]


@pytest.mark.parametrize("writes", range(4))  # Job, Service; status
def test_a_restart_that_was_interrupted_ends_as_if_nothing_had_happened(writes: int) -> None:
    undisturbed = failed().settle()
    scene = failed()
    scene.act()
    scene.act(writes)
    scene.settle()
    assert sorted(scene.children) == sorted(undisturbed.children)
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]
    assert scene.obj["status"] == undisturbed.obj["status"]


@pytest.mark.parametrize("writes", range(4))  # Job, Service; status
def test_a_pause_whose_end_was_interrupted_ends_as_if_nothing_had_happened(writes: int) -> None:
    def paused() -> Scene:
        scene = failed().settle()
        job = a_job(scene.obj, attempt=2).started()
        scene.having(job, a_pod(job.obj()).disrupted("DeletionByPodGC")).settle()
        assert scene.state == "Restarting"
        return scene.after(10)

    undisturbed, scene = paused().settle(), paused()
    scene.act(writes)
    scene.settle()
    assert sorted(scene.children) == sorted(undisturbed.children)
    assert scene.obj["status"] == undisturbed.obj["status"]


@pytest.mark.parametrize("writes", range(3))
def test_who_holds_the_run_after_a_death_in_a_restart_finds_no_attempt_made_twice(writes: int) -> None:
    scene = failed()
    scene.act()
    scene.act(writes)
    scene.edit(suspend=True).settle()
    assert [name for name in scene.names("Job") if is_active(scene, name)] == []
    scene.edit(suspend=False).settle()
    assert scene.run["attempt"] == 2
    assert [name for name in scene.names("Job") if is_active(scene, name)] == ["digits-1-2"]


@pytest.mark.parametrize("writes", range(3))
def test_a_budget_that_is_lowered_after_a_restart_was_written_down_counts_for_the_next_failure(writes: int) -> None:
    scene = failed()
    scene.act()
    scene.act(writes)
    scene.edit(failurePolicy={"maxInfrastructureRestarts": 0}).settle()
    assert (scene.run["attempt"], scene.run["state"]) == (2, "Pending")
    assert [name for name in scene.names("Job") if is_active(scene, name)] == ["digits-1-2"]


def is_active(scene: Scene, name: str) -> bool:
    """Whether a Job may make pods."""
    spec = scene.child("Job", name)["spec"]
    return not spec["suspend"] and "activeDeadlineSeconds" not in spec


def test_the_job_of_the_next_attempt_is_read_before_another_is_made() -> None:
    scene = failed().settle()
    job = scene.child("Job", "digits-1-2")
    scene.without("Job", "digits-1-2")  # the watch is behind
    assert scene.reads == [Ref("Job", "team", "digits-1-2")]
    scene.related["Job", "digits-1-2"] = job
    assert not any(scene.plan().create)


@pytest.mark.parametrize("writes", range(3))  # status, then the stop of the Job
def test_an_end_by_a_lost_node_that_was_interrupted_stops_the_job(writes: int) -> None:
    training = a_training("digits").may_fail(maxInfrastructureRestarts=0).obj()
    scene = Scene(training).settle()
    job = a_job(training).started()
    scene.having(job, a_pod(job.obj()).running().disrupted("DeletionByPodGC")).act(writes)
    scene.settle()
    assert scene.state == "Failed"
    assert not is_active(scene, "digits-1-1")


@pytest.mark.parametrize("writes", range(4))
def test_a_queued_attempt_that_the_user_ends_is_ended_once(writes: int) -> None:
    scene = Scene(a_training("digits").queued()).settle().edit(suspend=True)
    for _ in range(3):
        scene.act(writes)
    scene.settle()
    assert (scene.state, scene.run["attempt"], scene.names("Job")) == ("Suspended", 2, [])
