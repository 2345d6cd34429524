"""The first stage of a run is whatever the order says: a start that is interrupted is as safe with a made-up one."""

from collections.abc import Iterator

import pytest
from tests.builders import Scene, a_config_map, a_job
from tests.unit.training.stages.made_up import an_order_of_five, begun, job_of, pod_of, succeeds, through

from lamplighter.core.objects import Ref

WRITES = 5  # revision, source copy; Job, claim; status


@pytest.fixture(autouse=True)
def five_stages() -> Iterator[None]:
    with an_order_of_five():
        yield


def interrupted(writes: int) -> Scene:
    """A scene in which the operator died after this many writes of the start."""
    scene = Scene(through("data"), a_config_map("code"))
    scene.act(writes)
    return scene


def test_a_run_starts_with_the_first_stage() -> None:
    scene = begun("data")
    assert scene.names("Job") == ["digits-1-data-1"]
    assert (scene.run["stage"], scene.run["job"], scene.state) == ("data", "digits-1-data-1", "DataPending")
    spec = job_of(scene, "data")["spec"]
    assert (spec["parallelism"], spec["completions"]) == (2, 2)
    (container,) = spec["template"]["spec"]["containers"]
    assert (container["name"], container["command"]) == ("data", ["do-data"])
    assert {"name": "LAMPLIGHTER_STAGE", "value": "data"} in container["env"]


def test_a_run_that_does_not_want_the_first_stage_starts_with_the_next() -> None:
    scene = begun()
    assert (scene.names("Job"), scene.run["stage"], scene.state) == (["digits-1-1"], "train", "Pending")


@pytest.mark.parametrize("writes", range(WRITES + 1))
def test_a_start_that_was_interrupted_ends_as_if_nothing_had_happened(writes: int) -> None:
    undisturbed, scene = begun("data"), interrupted(writes).settle()
    assert sorted(scene.children) == sorted(undisturbed.children)
    assert scene.obj["status"] == undisturbed.obj["status"]


@pytest.mark.parametrize("writes", [1, 2])
def test_a_frozen_spec_without_a_job_is_passed_over_when_the_spec_has_changed(writes: int) -> None:
    scene = interrupted(writes).edit(image="new").settle()
    assert (scene.run["number"], scene.names("Job")) == (2, ["digits-2-data-1"])


@pytest.mark.parametrize("writes", [3, 4])
def test_a_run_whose_first_job_exists_keeps_the_spec_that_it_was_started_with(writes: int) -> None:
    scene = interrupted(writes).edit(image="new").settle()
    assert (scene.run["number"], scene.names("Job")) == (1, ["digits-1-data-1"])
    scene = succeeds(scene, "data")
    (container,) = job_of(scene, "train")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "lamplighter/pytorch:dev"


@pytest.mark.parametrize("now", [(), ("data",)], ids=["and is not wanted any more", "and is still wanted"])
def test_the_first_job_of_an_unrecorded_start_is_read_when_the_watch_is_behind(now: tuple[str, ...]) -> None:
    scene = interrupted(4)
    job = scene.child("Job", "digits-1-data-1")
    scene.without("Job", "digits-1-data-1").edit(**through(*now).obj()["spec"])
    assert scene.reads == [Ref("Job", "team", "digits-1-data-1"), Ref("ConfigMap", "team", "code")]
    scene.related["Job", "digits-1-data-1"] = job
    scene.act()
    assert (scene.run["number"], scene.run["stage"], scene.names("Job")) == (1, "data", [])


def test_a_second_run_that_was_begun_continues_although_the_change_is_taken_back() -> None:
    scene = begun()
    scene = succeeds(succeeds(scene, "train"), "package", sha256="a" * 64)
    scene.edit(args=["--data"]).act(3)  # revision, source copy, Job
    assert scene.run["number"] == 1
    assert "digits-2-data-1" in scene.names("Job")
    scene.edit(args=[]).act()
    assert (scene.run["number"], scene.run["stage"]) == (2, "data")


def test_a_run_that_is_kept_from_starting_makes_room_for_the_corrected_spec() -> None:
    scene = begun("data")
    scene.having(pod_of(scene, "data").waiting("ErrImagePull")).settle()
    assert scene.state == "ImagePullFailed"
    scene.edit(image="mended").settle()
    assert (scene.run["number"], scene.names("Job")) == (2, ["digits-2-data-1"])


def test_a_run_that_has_prepared_its_data_is_not_given_up_when_training_cannot_start() -> None:
    scene = succeeds(begun("data"), "data")
    scene.having(pod_of(scene, "train").unschedulable()).settle()
    scene.edit(image="new").settle()
    assert (scene.run["number"], scene.run["stage"], scene.state) == (1, "train", "Unschedulable")


def test_training_follows_the_first_stage() -> None:
    scene = succeeds(begun("data"), "data")
    assert scene.names("Job") == ["digits-1-1", "digits-1-data-1"]
    assert (scene.run["stage"], scene.run["attempt"], scene.state) == ("train", 1, "Pending")


@pytest.mark.parametrize("writes", range(4))  # Job, Service; status
def test_a_step_to_training_that_was_interrupted_ends_as_if_nothing_had_happened(writes: int) -> None:
    undisturbed, scene = succeeds(begun("data"), "data"), begun("data")
    scene.having(a_job(scene.obj, stage="data").succeeded(), pod_of(scene, "data").succeeded()).act(writes)
    scene.settle()
    assert sorted(scene.children) == sorted(undisturbed.children)
    assert scene.obj["status"] == undisturbed.obj["status"]


def test_the_first_stage_starts_again_when_a_node_is_lost() -> None:
    scene = begun("data")
    scene.having(pod_of(scene, "data").running().disrupted("DeletionByPodGC")).settle()
    assert (scene.run["attempt"], scene.run["job"]) == (2, "digits-1-data-2")
    assert scene.names("Job") == ["digits-1-data-1", "digits-1-data-2"]


def test_a_job_of_the_first_stage_that_is_deleted_is_lost() -> None:
    assert begun("data").without("Job", "digits-1-data-1").settle().state == "Lost"


def test_what_the_first_stage_reported_is_not_taken_for_the_progress_of_training() -> None:
    scene = begun("data")
    scene.having(*(pod_of(scene, "data", index=index).running() for index in range(2)))
    scene.hearing(stage="data", step=7, total=9).settle()
    assert scene.run["progress"]["steps"] == "7/9"
    scene = succeeds(scene, "data")
    scene.hearing(stage="data", step=8, total=9).settle()
    assert "progress" not in scene.run
    scene.hearing(stage="train", step=1, total=1000).after(20).settle()
    assert scene.run["progress"]["steps"] == "1/1000"


def test_overrides_reach_only_the_pods_of_the_stage_whose_container_they_name() -> None:
    named = [{"name": "data", "env": [{"name": "A", "value": "1"}]}, {"name": "trainer", "image": "other"}]
    training = through("data").spec(template={"spec": {"containers": named}})
    scene = Scene(training, a_config_map("code")).settle()
    jobs = [job_of(scene, "data"), job_of(succeeds(scene, "data"), "train")]
    pods = [job["spec"]["template"]["spec"] for job in jobs]
    assert [[container["name"] for container in pod["containers"]] for pod in pods] == [["data"], ["trainer"]]
