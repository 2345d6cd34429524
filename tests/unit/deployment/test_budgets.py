"""What keeps pods that are ready from being evicted all at once."""

from tests.builders import a_deployment
from tests.unit.deployment.scenes import coming_up, only, ready, serving


def test_an_only_pod_has_no_budget_that_could_protect_it() -> None:
    scene = serving(a_deployment().spec(router={"replicas": 1}))
    assert scene.names("PodDisruptionBudget") == []
    scene.edit(replicas=2, router={"replicas": 2}).settle()
    assert scene.names("PodDisruptionBudget") == [only(scene), "digits-router"]


def test_a_budget_comes_with_the_first_ready_pod() -> None:
    scene = coming_up(a_deployment().replicas(2))
    assert scene.names("PodDisruptionBudget") == ["digits-router"]
    ready(scene, only(scene), 1).settle()
    assert scene.names("PodDisruptionBudget") == [only(scene), "digits-router"]


def test_a_budget_comes_whether_or_not_there_is_a_model_to_roll_out() -> None:
    scene = coming_up(a_deployment().replicas(2)).without("ModelTraining", "digits")
    ready(scene, only(scene)).settle()
    assert scene.state == "TrainingNotFound"
    assert only(scene) in scene.names("PodDisruptionBudget")
