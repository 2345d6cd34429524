"""A deployment from waiting for its model to a rollout under load, and the ways in which it can go wrong."""

import contextlib
import urllib.request
from typing import Any

import pytest
from tests.e2e.load import load
from tests.e2e.world import PATIENCE, World
from tests.programs.demo.cluster import forwarded
from tests.waiting import wait_until

BROKEN = """\
class Broken:
    def initialize(self, context):
        raise RuntimeError("no such weights")

    def handle(self, requests, context):
        return []
"""
FRAGILE = """\
import os, pathlib, time, traceback


class Fragile:
    def initialize(self, context):
        while pathlib.Path("/tmp/hold").exists():
            time.sleep(0.1)

    def handle(self, requests, context):
        if b"die" in bytes(str(requests), "utf-8"):
            try:
                {}["weights"]
            except KeyError:
                traceback.print_exc()
                pathlib.Path("/tmp/hold").touch()
                os._exit(3)
        return [[0]] * len(requests)
"""
PACKAGE = {"modelFile": "model.py", "handler": "handler.py", "example": "example.json"}


@pytest.fixture(scope="module")
def trained(world: World) -> dict[str, Any]:
    """A packaged model: the status of the ModelTraining `net`."""
    world.train("net", args=["--epochs", "1"], package=PACKAGE)
    return world.succeeded("net")


def test_it_waits_for_its_model_and_says_so(world: World) -> None:
    world.deploy("early", model={"trainingRef": {"name": "not-yet"}})
    found = world.ready("modeldeployment", "early", "TrainingNotFound", status="False")
    assert "there is no ModelTraining not-yet" in found["message"]
    world.kubectl("delete", "md", "early")


def test_a_digest_that_does_not_match_is_refused_before_torchserve_sees_the_archive(
    world: World, trained: dict[str, Any]
) -> None:
    world.deploy("forged", model={"uri": trained["latest"]["artifact"]["uri"], "sha256": "0" * 64})
    found = world.ready("modeldeployment", "forged", "DigestMismatch", status="False")
    assert "0000" in found["message"]
    assert trained["latest"]["artifact"]["sha256"] in found["message"]
    world.kubectl("delete", "md", "forged")


def test_a_model_that_is_not_there_is_named(world: World, trained: dict[str, Any]) -> None:
    world.deploy("absent", model={"uri": "pvc://net-models/nowhere/model.mar", "sha256": "0" * 64})
    found = world.ready("modeldeployment", "absent", "ModelNotFound", status="False")
    assert "nowhere/model.mar" in found["message"]
    world.kubectl("delete", "md", "absent")


def deploy_with(world: World, name: str, handler: str) -> None:
    """A deployment whose model has another handler."""
    data = {**world.get("configmap", "digits-code")["data"], "handler.py": handler}
    world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-code"}, "data": data})
    world.train(name, source=f"{name}-code", args=["--epochs", "1"], package=PACKAGE)
    world.succeeded(name)
    world.deploy(name, model={"trainingRef": {"name": name}})


def test_a_handler_that_cannot_load_shows_its_traceback(world: World, trained: dict[str, Any]) -> None:
    deploy_with(world, "broken", BROKEN)
    found = world.ready("modeldeployment", "broken", "WorkerFailed", status="False")
    assert "RuntimeError: no such weights" in found["message"]
    world.kubectl("delete", "md", "broken")


def test_a_worker_that_dies_once_shows_its_traceback_until_another_serves(
    world: World, trained: dict[str, Any]
) -> None:
    deploy_with(world, "fragile", FRAGILE)
    world.ready("modeldeployment", "fragile", "Ready", status="True")
    (pod,) = world.all("pods", "lamplighter.dev/deployment=fragile,lamplighter.dev/revision")
    with forwarded(world.namespace, "service/fragile", 80) as address, contextlib.suppress(OSError):
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"http://{address}/predictions/fragile", b"die", headers)
        urllib.request.urlopen(request, timeout=30).close()
    found = world.ready("modeldeployment", "fragile", "WorkerDied", status="False")
    assert "KeyError: 'weights'" in found["message"]
    world.kubectl("exec", pod["metadata"]["name"], "-c", "torchserve", "--", "rm", "/tmp/hold")
    world.ready("modeldeployment", "fragile", "Ready", status="True")
    assert "WorkerDied" in world.kubectl("describe", "md", "fragile")
    world.kubectl("delete", "md", "fragile")


def test_a_newer_run_is_rolled_out_without_a_failed_request(world: World, trained: dict[str, Any]) -> None:
    world.deploy("net", model={"trainingRef": {"name": "net"}}, replicas=2)
    world.ready("modeldeployment", "net", "Ready", status="True")
    first = world.get("md", "net")["status"]["stable"]
    assert first["model"]["run"] == 1
    with load(world, "net") as result:
        world.patch("mt", "net", args=["--epochs", "2"])
        world.succeeded("net", run=2)
        wait_until(
            "run 2 serves", lambda: world.get("md", "net")["status"]["stable"]["model"].get("run") == 2, PATIENCE
        )
        second = world.get("md", "net")["status"]["stable"]
        wait_until("the old revision is gone", lambda: len(_deployments(world)) == 1, PATIENCE)
    assert second["revision"] != first["revision"]
    assert set(result["by"]) == {first["revision"], second["revision"]}
    assert (result["lost"], result["asked"] > 100) == ({}, True)


def test_what_serves_goes_on_serving_while_the_next_revision_is_broken(world: World) -> None:
    world.kubectl("patch", "md", "net", "--type=merge", "-p", '{"spec":{"runtime":{"image":"registry.invalid/x:1"}}}')
    world.ready("modeldeployment", "net", "ImagePullFailed", status="False")
    deployment = world.get("md", "net")
    available = [entry["status"] for entry in deployment["status"]["conditions"] if entry["type"] == "Available"]
    assert available == ["True"]
    assert _answers(world)
    world.kubectl("patch", "md", "net", "--type=json", "-p", '[{"op":"remove","path":"/spec/runtime/image"}]')
    world.ready("modeldeployment", "net", "Ready", status="True")
    wait_until("the broken revision is gone", lambda: len(_deployments(world)) == 1, PATIENCE)


def test_it_scales_through_the_scale_subresource(world: World) -> None:
    world.kubectl("scale", "md", "net", "--replicas=1")
    wait_until("one pod serves", lambda: world.get("md", "net")["status"]["readyReplicas"] == 1, PATIENCE)
    world.ready("modeldeployment", "net", "Ready", status="True")  # when the routers know that there is only one
    assert "Ready" in world.kubectl("get", "md", "net")


def test_a_served_model_survives_the_deletion_of_its_training(world: World) -> None:
    world.kubectl("delete", "mt", "net")
    world.ready("modeldeployment", "net", "TrainingNotFound", status="False")
    assert _answers(world)


def _answers(world: World) -> bool:
    """True when requests are answered for a while, and none is lost."""
    with load(world, "net") as result:
        wait_until("some requests", lambda: result.asked_by_now() >= 100, PATIENCE)
    return bool(result["by"] and not result["lost"])


def _deployments(world: World) -> list[dict[str, Any]]:
    return world.all("deployments", "lamplighter.dev/deployment=net,lamplighter.dev/revision")
