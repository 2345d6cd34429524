"""A signature that is asked for is part of the revision and checked before TorchServe starts."""

from tests.builders import Scene, a_deployment, a_pod, a_trained
from tests.unit.deployment.scenes import coming_up, only, serving

from lamplighter.core.objects import Obj


def fetch(scene: Scene) -> Obj:
    """The init container."""
    (container,) = scene.child("Deployment", only(scene))["spec"]["template"]["spec"]["initContainers"]
    return dict(container)


def test_the_key_reaches_the_program_that_verifies() -> None:
    container = fetch(Scene(a_deployment().signed_by("keys", "models.pub"), a_trained().with_model(1)).settle())
    assert container["command"] == ["lamplighter-fetch-signed"]
    source = {"configMapKeyRef": {"name": "keys", "key": "models.pub"}}
    assert {"name": "LAMPLIGHTER_MODEL_PUBLIC_KEY", "valueFrom": source} in container["env"]


def test_without_a_signature_nothing_changes() -> None:
    container = fetch(coming_up())
    assert container["command"] == ["lamplighter-fetch"]
    assert "LAMPLIGHTER_MODEL_PUBLIC_KEY" not in {entry["name"] for entry in container["env"]}


def test_asking_for_a_signature_is_a_new_revision_and_the_next_look_finds_it_again() -> None:
    scene = serving()
    scene.obj["spec"]["model"]["signature"] = {"publicKey": {"name": "keys", "key": "models.pub"}}
    assert len(scene.settle().names("ControllerRevision")) == 2
    assert len(scene.settle().names("ControllerRevision")) == 2


def test_no_longer_asking_goes_back_to_the_revision_before() -> None:
    scene = serving()
    before = scene.names("ControllerRevision")
    scene.obj["spec"]["model"]["signature"] = {"publicKey": {"name": "keys", "key": "models.pub"}}
    scene.settle()
    del scene.obj["spec"]["model"]["signature"]
    scene.settle()
    assert set(before) <= set(scene.names("ControllerRevision"))
    assert scene.obj["status"].get("candidate") is None


def test_a_missing_and_a_wrong_signature_are_told_and_stall() -> None:
    for code, reason in ((71, "SignatureMissing"), (72, "SignatureMismatch")):
        scene = coming_up(a_deployment().signed_by("keys", "models.pub"))
        pod = a_pod(scene.child("Deployment", only(scene))).init_failed(code, reason=reason, message="model.mar.sig")
        scene.having(pod).settle()
        assert scene.told("Stalled")[:2] == ("True", reason)
        assert scene.told("Stalled")[2].endswith("model.mar.sig")
