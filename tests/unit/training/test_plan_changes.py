"""What a changed spec and a request for a new run do."""

import pytest
from tests.builders import Scene, a_config_map, a_job, a_pod, a_training, at

TRAINING = a_training("digits").obj()


def running(training: object = TRAINING) -> Scene:
    """A scene in which run 1 is under way."""
    scene = Scene(training)
    return scene.settle()


def finished(**spec: object) -> Scene:
    """A scene in which run 1 has succeeded."""
    training = a_training("digits").spec(**spec)
    return Scene(training).settle().having(a_job(training.obj()).succeeded()).settle()


def run(scene: Scene) -> int:
    return int(scene.obj["status"]["run"]["number"])


def test_queue_lets_the_run_end_and_starts_the_next_one_with_the_new_spec() -> None:
    scene = running().edit(image="new").settle()
    assert (run(scene), scene.names("Job")) == (1, ["digits-1-1"])
    scene.having(a_job(TRAINING).succeeded()).settle()
    assert (run(scene), scene.names("Job")) == (2, ["digits-1-1", "digits-2-1"])
    assert scene.child("ControllerRevision", "digits-2")["data"]["spec"]["image"] == "new"


def test_of_several_changes_during_a_run_only_the_last_is_run() -> None:
    scene = running().edit(image="new").settle().edit(image="newest").settle()
    scene.having(a_job(TRAINING).succeeded()).settle()
    assert run(scene) == 2
    assert scene.child("ControllerRevision", "digits-2")["data"]["spec"]["image"] == "newest"


def test_a_change_that_is_taken_back_before_the_run_ends_starts_nothing() -> None:
    scene = running().edit(image="new").settle().edit(image=TRAINING["spec"]["image"]).settle()
    scene.having(a_job(TRAINING).succeeded()).settle()
    assert run(scene) == 1


def test_a_change_after_the_run_starts_the_next_one_at_once() -> None:
    scene = finished().edit(args=["--epochs", "3"])
    scene.act()
    assert run(scene) == 2


def test_a_change_after_a_failed_run_starts_the_next_one() -> None:
    scene = running().having(a_job(TRAINING).failed(), a_pod(a_job(TRAINING).obj()).failed()).settle()
    assert scene.state == "Failed"
    scene.edit(image="mended").settle()
    assert run(scene) == 2


def test_writing_down_a_default_is_no_change() -> None:
    scene = finished().edit(nodes=1, args=[], env=[], output={"size": "5Gi"}, resources={}).settle()
    assert run(scene) == 1


def test_restart_stops_the_run_and_starts_the_next_one_at_once() -> None:
    scene = running(a_training("digits").on_change("Restart"))
    scene.edit(image="new").act()
    assert scene.state == "Superseded"
    assert scene.told("Stalled")[0] == "False"
    assert scene.told("Reconciling")[0] == "True"
    scene.settle()
    assert (run(scene), scene.names("Job")) == (2, ["digits-2-1"])
    assert [(entry["run"], entry["state"]) for entry in scene.obj["status"]["history"]] == [(1, "Superseded")]


def test_the_end_of_a_restarted_run_is_written_before_its_job_is_deleted() -> None:
    scene = running(a_training("digits").on_change("Restart")).edit(image="new")
    assert scene.act().delete == ()
    assert [ref.name for ref in scene.act().delete if ref.kind == "Job"] == ["digits-1-1"]


def test_a_restarted_runs_job_goes_although_the_next_run_cannot_start() -> None:
    scene = running(a_training("digits").on_change("Restart")).edit(source={"configMap": "missing"}).settle()
    assert scene.names("Job") == []
    assert scene.state == "SourceNotFound"


def test_ignore_starts_nothing_until_it_is_asked() -> None:
    scene = finished(onChange="Ignore").edit(image="new").settle()
    assert run(scene) == 1
    scene.annotate(retrain="now").settle()
    assert run(scene) == 2
    assert scene.child("ControllerRevision", "digits-2")["data"]["spec"]["image"] == "new"


def test_ignore_does_not_keep_the_first_run_from_starting() -> None:
    assert run(Scene(a_training("digits").on_change("Ignore")).settle()) == 1


def test_a_retrain_annotation_starts_one_run_per_value() -> None:
    scene = finished().annotate(retrain="monday").settle()
    assert run(scene) == 2
    assert scene.obj["status"]["lastHandled"] == {"retrain": "monday"}
    scene.having(a_job(TRAINING, run=2).succeeded()).settle()
    assert run(scene) == 2
    scene.annotate(retrain="tuesday").settle()
    assert run(scene) == 3


def test_a_retrain_annotation_that_was_there_from_the_start_asks_for_nothing_more() -> None:
    scene = Scene(a_training("digits").retrain("monday")).settle()
    scene.having(a_job(TRAINING).succeeded()).settle()
    assert run(scene) == 1


def test_a_retrain_annotation_during_a_run_is_honoured_after_it() -> None:
    scene = running().annotate(retrain="monday").settle()
    assert run(scene) == 1
    scene.having(a_job(TRAINING).succeeded()).settle()
    assert run(scene) == 2


def test_taking_a_retrain_annotation_away_starts_nothing() -> None:
    scene = finished().annotate(retrain="monday").settle()
    scene.having(a_job(TRAINING, run=2).succeeded()).settle().annotate(retrain=None).settle()
    assert run(scene) == 2


@pytest.mark.parametrize("value", ["ä" * 300, "x" * 5000], ids=["unicode", "long"])
def test_a_long_retrain_value_is_handled_once(value: str) -> None:
    scene = finished().annotate(retrain=value).settle()
    scene.having(a_job(TRAINING, run=2).succeeded()).settle()
    assert run(scene) == 2


def test_a_spec_that_could_not_be_started_and_is_taken_back_leaves_no_trace_in_the_status() -> None:
    scene = finished()
    before = {entry["type"]: entry["status"] for entry in scene.obj["status"]["conditions"]}
    scene.edit(source={"configMap": "missing"}).settle()
    assert scene.state == "SourceNotFound"
    scene.edit(source=None).settle()
    assert scene.state == "Succeeded"
    assert {entry["type"]: entry["status"] for entry in scene.obj["status"]["conditions"]} == before


def test_a_source_that_is_edited_during_a_run_does_not_reach_the_run() -> None:
    scene = Scene(a_training("digits").with_source("code"), a_config_map("code")).settle()
    scene.having(a_config_map("code", train_py="print('edited')")).settle()
    assert scene.child("ConfigMap", "digits-1")["data"] == {"train.py": "print('hello')"}


def test_an_edited_source_is_used_by_the_next_run() -> None:
    training = a_training("digits").with_source("code")
    scene = Scene(training, a_config_map("code")).settle()
    scene.having(a_job(training.obj()).succeeded(), a_config_map("code", train_py="print('edited')")).settle()
    scene.annotate(retrain="1").settle()
    assert scene.child("ConfigMap", "digits-2")["data"] == {"train.py": "print('edited')"}


def cannot_start() -> Scene:
    """A scene in which the image of run 1 cannot be pulled."""
    scene = running()
    return scene.having(a_pod(scene.child("Job", "digits-1-1")).waiting("ErrImagePull")).settle()


def test_a_run_that_cannot_start_makes_room_for_the_corrected_spec() -> None:
    scene = cannot_start().edit(image="mended").settle()
    assert (run(scene), scene.names("Job")) == (2, ["digits-2-1"])


def test_a_run_whose_pods_are_refused_makes_room_for_the_corrected_spec() -> None:
    scene = running().having(a_job(TRAINING).status(startTime=at())).settle()
    assert scene.state == "PodsRefused"
    scene.edit(image="mended").settle()
    assert (run(scene), scene.names("Job")) == (2, ["digits-2-1"])


def test_a_run_that_cannot_start_is_kept_while_the_spec_is_what_it_was() -> None:
    scene = cannot_start().edit(ttlAfterFinished="1h").settle()
    assert (run(scene), scene.names("Job"), scene.state) == (1, ["digits-1-1"], "ImagePullFailed")


def test_a_run_that_was_written_down_as_unschedulable_and_runs_by_now_is_not_stopped() -> None:
    pod = a_pod(a_job(TRAINING).obj())
    scene = running().having(pod.unschedulable()).settle()
    assert scene.state == "Unschedulable"
    scene.having(a_pod(a_job(TRAINING).obj()).running()).edit(image="new").settle()
    assert (run(scene), scene.state) == (1, "Running")


def test_a_trained_model_that_waits_to_be_packaged_is_not_given_up() -> None:
    training = a_training("digits").packaged().obj()
    scene = running(training).having(a_job(training).succeeded()).settle()
    scene.having(a_pod(a_job(training, stage="package").obj()).unschedulable()).settle()
    scene.edit(image="new").settle()
    assert (run(scene), scene.state) == (1, "Unschedulable")
