"""What serves is kept up when somebody deletes or changes something of it."""

import pytest
from tests.unit.deployment.scenes import (
    only,
    ready,
    served,
    serving,
    weights,
    with_candidate,
    workloads,
)


def test_what_serves_goes_on_serving_when_the_training_is_deleted() -> None:
    scene = serving()
    name = only(scene)
    scene.without("ModelTraining", "digits").settle()
    assert (served(scene), workloads(scene)) == (name, [name])
    assert scene.told("Ready")[:2] == ("False", "TrainingNotFound")
    assert scene.told("Available")[0] == "True"
    assert scene.edit(replicas=2).plan().patch


def test_what_serves_comes_back_when_somebody_deletes_it_while_there_is_no_training() -> None:
    scene = serving()
    name = only(scene)
    scene.without("ModelTraining", "digits").without("Deployment", name).without("Service", "digits").settle()
    assert (served(scene), workloads(scene)) == (name, [name])


def test_a_stable_deployment_that_somebody_deleted_is_created_again() -> None:
    scene = serving()
    name = only(scene)
    scene.without("Deployment", name).act()
    assert workloads(scene) == [name]
    assert scene.told("Ready")[:2] == ("False", "RollingOut")
    assert scene.told("Available")[0] == "False"


def test_a_stable_deployment_that_was_deleted_during_a_rollout_is_created_again() -> None:
    scene, old, new = with_candidate()
    scene.without("Deployment", old).settle()
    assert workloads(scene) == sorted([old, new])


def test_a_deleted_service_of_a_revision_is_created_again() -> None:
    scene = serving()
    name = only(scene)
    scene.without("Service", name).settle()
    assert name in scene.names("Service")


def test_a_router_that_somebody_deleted_is_created_again() -> None:
    scene = serving()
    (name,) = [name for name in scene.names("Deployment") if "-router-" in name]
    scene.without("Deployment", name).without("ConfigMap", "digits-router").settle()
    assert name in scene.names("Deployment")
    assert weights(scene) == {only(scene): 100}


def test_a_deleted_service_is_created_again_for_what_is_stable() -> None:
    scene, old, _ = with_candidate()
    scene.without("Service", "digits").settle()
    assert served(scene) == old


@pytest.mark.parametrize(
    "selector",
    [{}, {"app": "else"}, {"lamplighter.dev/deployment": "digits", "lamplighter.dev/revision": "00000000"}],
    ids=["empty", "else", "revision"],
)
def test_a_service_that_was_tampered_with_is_mended(selector: dict[str, str]) -> None:
    scene = serving()
    service = scene.child("Service", "digits")
    wanted = dict(service["spec"]["selector"])
    service["spec"]["selector"] = selector
    scene.having(service).settle()
    assert scene.child("Service", "digits")["spec"]["selector"] == wanted


def test_a_key_that_was_added_to_the_services_selector_is_taken_away() -> None:
    scene = serving()
    service = scene.child("Service", "digits")
    wanted = dict(service["spec"]["selector"])
    service["spec"]["selector"]["extra"] = "key"
    scene.having(service).settle()
    assert scene.child("Service", "digits")["spec"]["selector"] == wanted


def test_while_a_service_is_tampered_with_nothing_is_deleted() -> None:
    scene, _, new = with_candidate()
    ready(scene, new).act()
    service = scene.child("Service", "digits")
    service["spec"]["selector"] = {"app": "else"}
    assert scene.having(service).plan().delete == ()
