"""Stages in the middle and at the end: a run goes through all of them, and the last one publishes its model."""

from collections.abc import Iterator

import pytest
from tests.builders import Scene
from tests.unit.training.stages.made_up import an_order_of_five, begun, pod_of, succeeds

SHA = "a" * 64


@pytest.fixture(autouse=True)
def five_stages() -> Iterator[None]:
    with an_order_of_five():
        yield


def packaged(*stages: str) -> Scene:
    """A scene in which everything up to package succeeded."""
    scene = begun(*stages)
    for stage in ("data", "train", "check"):
        if stage == scene.run["stage"]:
            succeeds(scene, stage)
    return succeeds(scene, "package", sha256=SHA)


def test_a_run_goes_through_all_stages_in_their_order() -> None:
    scene = begun("data", "check", "gate")
    seen = []
    for stage in ("data", "train", "check", "package", "gate"):
        seen.append((scene.run["stage"], scene.run["job"], scene.state))
        succeeds(scene, stage, sha256=SHA, good=True)
    assert seen == [
        ("data", "digits-1-data-1", "DataPending"),
        ("train", "digits-1-1", "Pending"),
        ("check", "digits-1-check-1", "CheckPending"),
        ("package", "digits-1-package-1", "PackagePending"),
        ("gate", "digits-1-gate-1", "GatePending"),
    ]
    assert scene.run["state"] == "Succeeded"
    assert scene.obj["status"]["latest"]["artifact"]["sha256"] == SHA


def test_a_stage_in_the_middle_runs_again_with_budgets_of_its_own() -> None:
    scene = succeeds(begun("check"), "train")
    scene.having(pod_of(scene, "check").running().disrupted("DeletionByPodGC")).settle()
    assert (scene.run["job"], scene.run["failures"]) == ("digits-1-check-2", {"Infrastructure": 1})


def test_a_stage_in_the_middle_that_cannot_start_does_not_give_up_the_run() -> None:
    scene = succeeds(begun("check"), "train")
    scene.having(pod_of(scene, "check").unschedulable()).settle()
    scene.edit(image="new").settle()
    assert (scene.run["number"], scene.run["stage"]) == (1, "check")


def test_an_archive_is_not_the_latest_model_before_the_last_stage_is_done() -> None:
    scene = packaged("gate")
    assert (scene.run["stage"], scene.run["artifact"]["sha256"]) == ("gate", SHA)
    assert "latest" not in scene.obj["status"]
    succeeds(scene, "gate", good=True)
    assert scene.obj["status"]["latest"] == scene.obj["status"]["history"][0]
    assert scene.obj["status"]["latest"]["artifact"]["uri"].startswith("pvc://digits-models/")


def test_a_run_that_the_last_stage_rejects_publishes_nothing_and_keeps_the_model_before() -> None:
    scene = packaged("gate")
    succeeds(scene, "gate", good=True)
    published = scene.obj["status"]["latest"]
    scene.annotate(retrain="1").settle()
    succeeds(succeeds(scene, "train"), "package", sha256="b" * 64)
    succeeds(scene, "gate", good=False)
    assert (scene.run["number"], scene.run["state"], scene.run["failure"]["reason"]) == (2, "Failed", "NotGoodEnough")
    assert "artifact" not in scene.obj["status"]["history"][-1]
    assert scene.obj["status"]["latest"] == published


def test_a_last_stage_whose_pods_fail_publishes_nothing() -> None:
    scene = packaged("gate")
    scene.having(pod_of(scene, "gate").failed(1, "boom")).settle()
    assert scene.run["state"] == "Failed"
    assert "artifact" not in scene.run
    assert "latest" not in scene.obj["status"]


def test_a_run_without_an_archive_leaves_the_latest_model_as_it_is() -> None:
    scene = packaged()
    published = scene.obj["status"]["latest"]
    scene.edit(package=None).settle()
    succeeds(scene, "train")
    assert (scene.run["number"], scene.run["state"]) == (2, "Succeeded")
    assert scene.obj["status"]["latest"] == published
