"""How a run begins."""

from tests.builders import Scene, a_config_map, a_training, at

from lamplighter.core.objects import Ref


def kinds(wave: tuple[dict[str, object], ...]) -> list[str]:
    return [str(obj["kind"]) for obj in wave]


def test_a_new_training_gets_a_revision_then_its_job_and_a_claim() -> None:
    plan = Scene(a_training("digits")).plan()
    assert [kinds(wave) for wave in plan.create] == [["ControllerRevision"], ["Job", "PersistentVolumeClaim"]]
    assert not plan.patch
    assert not plan.delete


def test_the_status_names_run_stage_attempt_job_volume_and_folder() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    uid = scene.obj["metadata"]["uid"]
    assert scene.obj["status"]["run"] == {
        "number": 1,
        "state": "Pending",
        "stage": "train",
        "attempt": 1,
        "job": "digits-1-1",
        "claimName": "digits-models",
        "path": f"digits-{uid[:8]}/run-1",
        "startTime": at(),
        "attemptStartTime": at(),
        "executions": 0,
        "restarts": 0,
        "failures": {},
        "failuresInARow": 0,
        "avoidedNodes": [],
        "suspendedSeconds": 0,
    }


def test_from_the_first_write_on_all_kstatus_conditions_and_the_generation_are_there() -> None:
    scene = Scene(a_training("digits").meta(generation=4))
    scene.act()
    status = scene.obj["status"]
    assert status["observedGeneration"] == 4
    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == {
        "Ready": "False",
        "Reconciling": "True",
        "Stalled": "False",
    }
    assert {entry["observedGeneration"] for entry in status["conditions"]} == {4}


def test_a_job_never_retries_and_never_expires_by_itself() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    spec = scene.child("Job", "digits-1-1")["spec"]
    assert spec["backoffLimit"] == 0
    assert "ttlSecondsAfterFinished" not in spec
    assert "podFailurePolicy" not in spec


def test_one_node_needs_no_headless_service() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    assert scene.names("Service") == []


def test_two_nodes_get_a_headless_service_of_the_jobs_name() -> None:
    scene = Scene(a_training("digits").nodes(2))
    scene.act()
    service = scene.child("Service", "digits-1-1")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": "digits-1-1"}
    assert scene.child("Job", "digits-1-1")["spec"]["parallelism"] == 2


def test_a_claim_that_the_user_names_is_not_made() -> None:
    scene = Scene(a_training("digits").spec(output={"claimName": "shared"}))
    scene.act()
    assert scene.names("PersistentVolumeClaim") == []
    assert scene.obj["status"]["run"]["claimName"] == "shared"


def test_a_claim_of_an_earlier_training_of_the_name_is_used_again() -> None:
    claim = Scene(a_training("digits"))
    claim.act()
    scene = Scene(a_training("digits").made_again(), claim.child("PersistentVolumeClaim", "digits-models"))
    assert kinds(scene.plan().create[1]) == ["Job"]


def test_the_claim_has_no_owner_so_that_models_outlive_their_training() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    assert "ownerReferences" not in scene.child("PersistentVolumeClaim", "digits-models")["metadata"]


def test_a_source_is_read_when_a_run_starts_and_not_later() -> None:
    scene = Scene(a_training("digits").with_source("code"), a_config_map("code"))
    assert scene.reads == [Ref("ConfigMap", "team", "code")]
    scene.act()
    assert scene.reads == []


def test_a_source_is_copied_into_an_immutable_config_map_of_the_run() -> None:
    code = a_config_map("code", train_py="print('größer')") | {"binaryData": {"weights.bin": "AAEC"}}
    scene = Scene(a_training("digits").with_source("code"), code)
    scene.act()
    copy = scene.child("ConfigMap", "digits-1")
    assert copy["immutable"] is True
    assert copy["data"] == {"train.py": "print('größer')"}
    assert copy["binaryData"] == {"weights.bin": "AAEC"}


def test_the_copy_and_the_revision_are_created_before_the_job() -> None:
    scene = Scene(a_training("digits").with_source("code"), a_config_map("code"))
    assert [kinds(wave)[:2] for wave in scene.plan().create] == [
        ["ControllerRevision", "ConfigMap"],
        ["Job", "PersistentVolumeClaim"],
    ]


def test_the_revision_keeps_the_spec_as_the_user_wrote_it_without_what_only_steers() -> None:
    scene = Scene(a_training("digits").spec(args=["--lr", "0.1"], unknown="kept").suspended().on_change("Ignore"))
    scene.act()
    revision = scene.child("ControllerRevision", "digits-1")
    assert revision["revision"] == 1
    assert revision["data"]["spec"] == {
        "image": "lamplighter/pytorch:dev",
        "entrypoint": "train.py",
        "args": ["--lr", "0.1"],
        "unknown": "kept",
    }


def test_a_missing_source_blocks_with_a_sentence_and_is_looked_for_again() -> None:
    scene = Scene(a_training("digits").with_source("code"))
    plan = scene.act()
    assert not any(plan.create)
    assert plan.requeue_after == 10
    assert scene.state == "SourceNotFound"
    status, reason, message = scene.told("Stalled")
    assert (status, reason) == ("True", "SourceNotFound")
    assert "spec.source.configMap: there is no ConfigMap code in namespace team" in message
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", "SourceNotFound")]


def test_a_source_that_stays_missing_is_reported_once() -> None:
    scene = Scene(a_training("digits").with_source("code"))
    scene.act()
    assert scene.after(10).plan().empty


def test_a_source_that_comes_late_starts_the_run() -> None:
    scene = Scene(a_training("digits").with_source("code"))
    scene.act()
    scene.having(a_config_map("code")).act()
    assert scene.names("Job") == ["digits-1-1"]
    assert scene.told("Stalled")[0] == "False"


def test_an_entrypoint_that_is_not_in_the_source_is_told_with_what_is_there() -> None:
    scene = Scene(a_training("digits").with_source("code"), a_config_map("code", main_py="", util_py=""))
    scene.act()
    assert scene.told("Ready")[1:] == (
        "EntrypointNotFound",
        "spec.entrypoint: train.py is not in ConfigMap code (it has: main.py, util.py). "
        "Correct the name or add the file",
    )


def test_an_empty_source_is_said_to_have_nothing() -> None:
    empty = a_config_map("code") | {"data": None}
    scene = Scene(a_training("digits").with_source("code"), empty)
    scene.act()
    assert "(it has: nothing)" in scene.told("Ready")[2]


def test_a_suspended_training_creates_a_suspended_job() -> None:
    scene = Scene(a_training("digits").suspended())
    scene.act()
    assert scene.child("Job", "digits-1-1")["spec"]["suspend"] is True
    scene.act()
    assert scene.state == "Suspended"
    assert scene.told("Reconciling")[0] == "False"
    assert scene.told("Stalled")[0] == "False"


def test_a_training_that_is_being_deleted_is_left_alone() -> None:
    assert Scene(a_training("digits").being_deleted()).plan().empty


def test_a_training_made_again_under_its_name_ignores_the_children_of_the_old_one() -> None:
    old = Scene(a_training("digits").nodes(2).with_source("code"), a_config_map("code"))
    old.act()
    leftovers = list(old.children.values())
    plan = Scene(
        a_training("digits").nodes(2).with_source("code").made_again(), *leftovers, a_config_map("code")
    ).plan()
    assert [kinds(wave) for wave in plan.create] == [["ControllerRevision", "ConfigMap"], ["Job", "Service"]]
    assert not plan.delete
    assert not plan.patch


def test_a_strangers_job_of_the_name_that_was_read_is_not_taken_for_ours() -> None:
    scene = Scene(a_training("digits"))
    scene.act()
    scene.without("Job", "digits-1-1")
    stranger = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"suspend": True}}
    scene.having(stranger | {"metadata": {"name": "digits-1-1", "namespace": "team", "uid": "x"}})
    plan = scene.act()
    assert not plan.patch
    assert scene.state == "Lost"
