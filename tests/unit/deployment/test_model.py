"""Which model is served."""

import pytest
from tests.builders import SHA, Scene, a_deployment, a_trained, a_training
from tests.unit.deployment.scenes import workloads

from lamplighter.core.objects import Ref

OTHER = "b" * 64


def served(scene: Scene) -> dict[str, object]:
    """The model of the only revision that is coming up."""
    return dict(scene.obj["status"]["candidate"]["model"])


def test_a_deployment_reads_the_training_that_it_follows() -> None:
    assert Scene(a_deployment().of("letters")).reads == [Ref("ModelTraining", "team", "letters")]


def test_a_deployment_of_an_archive_reads_nothing() -> None:
    assert Scene(a_deployment().serving("pvc://models/a.mar")).reads == []


def test_a_missing_training_is_named_with_what_to_do() -> None:
    scene = Scene(a_deployment().of("letters"))
    plan = scene.act()
    assert not any(plan.create)
    assert scene.told("Stalled")[0] == "False"
    assert scene.told("Ready") == (
        "False",
        "TrainingNotFound",
        "spec.model.trainingRef: there is no ModelTraining letters in namespace team. Create it or correct the name; "
        "this deployment then continues automatically",
    )


def test_a_training_without_a_model_yet_is_waited_for_and_that_is_no_fault() -> None:
    scene = Scene(a_deployment(), a_training())
    plan = scene.act()
    assert not any(plan.create)
    assert scene.state == "WaitingForModel"
    assert scene.told("Reconciling")[0] == "True"
    assert scene.told("Stalled")[0] == "False"
    assert scene.told("Available")[:2] == ("False", "NothingServes")


def test_a_run_that_failed_leaves_the_deployment_waiting() -> None:
    scene = Scene(a_deployment(), a_trained().with_failure(1))
    scene.act()
    assert scene.state == "WaitingForModel"


def test_the_first_model_is_deployed_when_it_is_there() -> None:
    scene = Scene(a_deployment(), a_training())
    scene.act()
    scene.having(a_trained().with_model(1)).act()
    uri = "pvc://digits-models/digits-0/run-1/model.mar"
    assert served(scene) == {"uri": uri, "sha256": SHA, "training": "digits", "run": 1}


def test_without_a_pinned_run_the_latest_model_is_served() -> None:
    scene = Scene(a_deployment(), a_trained().with_model(1).with_model(2, OTHER).with_failure(3))
    scene.act()
    assert served(scene)["run"] == 2


def test_a_pinned_run_is_served_although_there_are_newer_ones() -> None:
    scene = Scene(a_deployment().of("digits", run=1), a_trained().with_model(1).with_model(2, OTHER))
    scene.act()
    assert (served(scene)["run"], served(scene)["sha256"]) == (1, SHA)


def test_a_pinned_run_that_only_the_latest_model_remembers_is_found() -> None:
    training = a_trained().with_model(7)
    training.status(history=[])
    scene = Scene(a_deployment().of("digits", run=7), training)
    scene.act()
    assert served(scene)["run"] == 7


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (9, "ModelTraining digits has no finished run 9 in its history"),
        (2, "run 2 of ModelTraining digits (Failed) produced no model"),
    ],
)
def test_a_pinned_run_without_a_model_says_why(run: int, sentence: str) -> None:
    scene = Scene(a_deployment().of("digits", run=run), a_trained().with_model(1).with_failure(2))
    scene.act()
    assert scene.told("Ready") == ("False", "WaitingForModel", sentence)


def test_an_archive_with_its_digest_needs_no_training() -> None:
    scene = Scene(a_deployment().serving("pvc://models/letters/a.mar", OTHER))
    scene.act()
    assert served(scene) == {"uri": "pvc://models/letters/a.mar", "sha256": OTHER}


def test_the_archive_is_mounted_read_only_from_its_claim_and_checked() -> None:
    scene = Scene(a_deployment().serving("pvc://models/letters/a.mar", OTHER))
    scene.act()
    (name,) = workloads(scene)
    pod = scene.child("Deployment", name)["spec"]["template"]["spec"]
    variables = {entry["name"]: entry["value"] for entry in pod["initContainers"][0]["env"]}
    assert variables["LAMPLIGHTER_MODEL_PATH"] == "/lamplighter/models/letters/a.mar"
    assert variables["LAMPLIGHTER_MODEL_SHA256"] == OTHER
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}} in pod["volumes"]


def test_the_same_archive_from_another_run_is_the_same_revision() -> None:
    scene = Scene(a_deployment(), a_trained().with_model(1)).settle()
    before = workloads(scene)
    scene.having(a_trained().with_model(1).with_model(2)).settle()
    assert workloads(scene) == before
    assert served(scene)["run"] == 2


def test_a_deployment_that_is_being_deleted_is_left_alone() -> None:
    assert Scene(a_deployment().being_deleted(), a_trained().with_model(1)).plan().empty


def test_a_corrected_uri_is_a_revision_of_its_own_although_the_digest_is_the_same() -> None:
    scene = Scene(a_deployment().serving("pvc://models/wrong.mar"))
    scene.settle()
    before = workloads(scene)
    scene.edit(model={"uri": "pvc://models/right.mar", "sha256": scene.obj["spec"]["model"]["sha256"]}).settle()
    assert served(scene)["uri"] == "pvc://models/right.mar"
    assert workloads(scene) != before
