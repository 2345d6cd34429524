"""What is thrown away to save memory is never what a plan reads."""

from typing import Any

import pytest
from tests.builders import Scene, a_config_map, a_deployment, a_job, a_node, a_pod, a_trained, a_training, a_workload
from tests.builders.objects import Obj
from tests.unit.deployment.scenes import with_candidate

from lamplighter.engine.pruning import prune
from lamplighter.training.view import TrainingOptions

NOISE: dict[str, Any] = {
    "managedFields": [{"manager": "kubectl"}],
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"},
    "selfLink": "/",
}


def noisy(obj: Obj) -> Obj:
    """The object as the API server sends it: with much that no plan reads."""
    notes = {**obj["metadata"].get("annotations", {}), **NOISE["annotations"]}
    return {**obj, "metadata": {**NOISE, **obj["metadata"], "annotations": notes}}


def training_scenes() -> list[Scene]:
    training = a_training("digits").nodes(2).packaged().with_source("code").retrain("1").obj()
    job, package = a_job(training), a_job(training, stage="package")
    started = Scene(training, a_config_map("code")).settle()
    pods = [a_pod(job.obj(), 0).failed(1, "boom").on("node"), a_pod(job.obj(), 1).unschedulable()]
    failing = Scene(training, *started.children.values(), *pods, job.failing())
    packaged = a_pod(package.obj()).succeeded(sha256="a" * 64)
    packaging = Scene(training, *started.children.values(), job.succeeded(), package.succeeded(), packaged)
    for scene in (failing, packaging):
        scene.obj = started.obj
    held = Scene(training, a_config_map("code")).settle().edit(suspend=True)
    lost = Scene(elastic := a_training("digits").nodes(3).elastic(1, 4).obj()).settle()
    lost.having(*(a_pod(a_job(elastic).obj(), index).on(f"node-{index}").running() for index in range(3)))
    lost.having(a_node("node-0"), a_node("node-1").silent(), a_node("node-2")).after(60)
    scaled = Scene(elastic).settle().edit(nodes=4)
    restarted = Scene(training, a_config_map("code")).settle()
    restarted.having(job.started(), a_pod(job.obj()).running().disrupted("PreemptionByScheduler")).act()
    broken = Scene(training, a_config_map("code"), a_node("node-1").broken()).settle()
    broken.options = TrainingOptions(bad_node_conditions=frozenset({"GPUUnhealthy"}))
    broken.having(job.started(), a_pod(job.obj()).on("node-1").running())
    unhealthy = Scene(training, a_config_map("code")).settle()
    unhealthy.having(job.started(), a_pod(job.obj()).on("node-1").with_device("Unhealthy"))
    reporting = Scene(training, a_config_map("code")).settle().hearing(step=7, total=9)
    packaging.obj["status"]["run"] |= {"stage": "package", "job": "digits-1-package-1"}
    later = [lost, scaled, restarted, broken, unhealthy, reporting]
    return [Scene(training, a_config_map("code")), started, held, failing, packaging, *later]


def deployment_scenes() -> list[Scene]:
    scene, _, new = with_candidate(a_deployment().replicas(2))
    switched = with_candidate()[0]
    switched.having(a_workload(switched.child("Deployment", new)).ready()).act()
    blamed = with_candidate()[0]
    blamed.having(a_pod(blamed.child("Deployment", new)).init_failed(66, reason="DigestMismatch", message="no"))
    scaled = with_candidate()[0].edit(replicas=5)
    return [Scene(a_deployment(), a_trained().with_model(1)), scene, scaled, switched, blamed]


@pytest.mark.parametrize("scene", [*training_scenes(), *deployment_scenes()])
def test_a_plan_from_what_is_kept_is_the_plan_from_everything(scene: Scene) -> None:
    whole = scene.plan()
    kept = Scene(scene.obj)
    kept.now, kept.related, kept.report, kept.options = scene.now, scene.related, scene.report, scene.options
    kept.nodes = None if scene.nodes is None else {name: prune(noisy(node)) for name, node in scene.nodes.items()}
    kept.obj = prune(noisy(scene.obj))
    kept.children = {place: prune(noisy(obj)) for place, obj in scene.children.items()}
    assert kept.plan() == whole


def test_what_no_plan_reads_is_dropped() -> None:
    pod = noisy(a_pod(a_job(a_training().obj()).obj()).running().obj())
    pod["spec"] = {"containers": [{"name": "trainer"}], "nodeName": "node-1"}
    pod["status"] |= {"hostIP": "10.0.0.1"}
    kept = prune(pod)
    assert kept["spec"] == {"nodeName": "node-1"}
    assert "hostIP" not in kept["status"]
    assert "managedFields" not in kept["metadata"]
    assert kept["metadata"]["annotations"] == {"kept": "yes"}


def test_the_pod_template_of_a_job_is_thrown_away() -> None:
    scene = Scene(a_training())
    scene.act()
    assert prune(scene.child("Job", "digits-1-1"))["spec"] == {"suspend": False, "parallelism": 1}


def test_the_files_of_a_source_copy_are_thrown_away() -> None:
    assert "data" not in prune(a_config_map("code", train_py="x" * 10**6))


def test_pruning_leaves_the_original_alone() -> None:
    original = noisy(a_training().obj())
    before = noisy(a_training().obj())
    prune(original)
    assert original == before
