"""Every way in which a revision follows another, under load and under SIGKILLs of the operator: no request is lost."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from tests import protocol, tools
from tests.e2e import operators
from tests.e2e.load import load
from tests.e2e.rollouts import NAME, nothing_lost, revise, revisions, settled, side_by_side, state, status
from tests.e2e.world import PATIENCE, World
from tests.programs.demo.cluster import forwarded, kubectl
from tests.waiting import wait_until

STEPS = [{"weight": 20, "hold": "3s"}, {"weight": 50, "pause": True}]


def predictions(world: World, revision: str) -> float:
    """How many requests the pods of a revision were asked, copies included."""
    pods = world.all("pods", f"lamplighter.dev/deployment={NAME},lamplighter.dev/revision={revision}")
    urls = [f"/api/v1/namespaces/{world.namespace}/pods/{pod['metadata']['name']}:8082/proxy/metrics" for pod in pods]
    lines = [line for url in urls for line in world.kubectl("get", "--raw", url).splitlines()]
    return sum(float(line.split()[1]) for line in lines if line.startswith("ts_inference_requests_total{"))


def test_a_canary_goes_through_its_steps(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        old = revise(world, 201, canary={"steps": STEPS})
        paused = state(world, "Paused")
        assert (paused["stable"]["revision"], paused["candidate"]["weight"]) == (old, 50)
        world.annotate("md", served, resume="go")
        assert settled(world) == paused["candidate"]["revision"]
    nothing_lost(result)
    assert set(result["by"]) == {old, paused["candidate"]["revision"]}
    story = world.kubectl("describe", "md", served)
    assert "RolledOut" in story
    assert f"revision {paused['candidate']['revision']} took over" in story


def test_the_split_is_what_was_asked_for(world: World, served: str) -> None:
    old = revise(world, 202, canary={"steps": [{"weight": 30, "pause": True}]})
    new = state(world, "Paused")["candidate"]["revision"]
    told = status(world)["router"]
    assert (told["verified"], told["traffic"]) == (
        True,
        [{"revision": old, "weight": 70}, {"revision": new, "weight": 30}],
    )
    with load(world, served, rate=60) as result:
        wait_until("a thousand requests", lambda: result.asked_by_now() >= 1000, PATIENCE)
    nothing_lost(result)
    spread = 4.5 * (0.3 * 0.7 / result["asked"]) ** 0.5
    assert abs(result.share(new) - 0.3) < spread, result
    story = world.kubectl("describe", "md", served)
    assert [event for event in ("RolloutStarted", "WeightChanged", "Waiting") if event not in story] == []


@pytest.fixture
def predict(world: World, served: str, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Predicts once over gRPC: gives the revision that answered."""
    body = json.dumps({"instances": [[0.0] * 64]}).encode()
    with (
        protocol.stubs(tools.image("torchserve"), tmp_path) as modules,
        forwarded(world.namespace, f"service/{served}", 7070) as address,
        grpc.insecure_channel(address) as channel,
    ):
        request = modules["inference_pb2"].PredictionsRequest(model_name=served, input={"body": body})
        stub = modules["inference_pb2_grpc"].InferenceAPIsServiceStub(channel)

        def predict() -> str:
            answer, call = stub.Predictions.with_call(request, timeout=30)
            assert "predictions" in json.loads(answer.prediction)
            return str(dict(call.initial_metadata())["x-lamplighter-revision"])

        yield predict


def test_grpc_is_split_too(world: World, predict: Callable[[], str]) -> None:
    told = status(world)
    assert {predict() for _ in range(100)} == {told["stable"]["revision"], told["candidate"]["revision"]}


def test_no_grpc_call_is_lost_while_a_candidate_gives_way_to_another(world: World, predict: Callable[[], str]) -> None:
    done = threading.Event()

    def ask() -> set[str]:
        answered = set()
        while not done.is_set():
            answered.add(predict())
        return answered

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            old = revise(world, 222, canary={"steps": [{"weight": 30, "pause": True}]})
            new = state(world, "Paused")["candidate"]["revision"]
        finally:
            done.set()
    assert set().union(*(each.result() for each in asking)) >= {old, new}


def test_an_abort_loses_nothing_and_stays(world: World, served: str, attacked: None) -> None:
    before = status(world)
    with load(world, served) as result:
        world.annotate("md", served, abort=before["candidate"]["revision"])
        aborted = state(world, "Aborted")
        wait_until("the candidate is gone", lambda: revisions(world) == [before["stable"]["revision"]], PATIENCE)
    nothing_lost(result)
    assert aborted["history"][0]["outcome"] == "Aborted"
    assert aborted["lastHandled"]["abort"] == before["candidate"]["revision"]


def test_a_candidate_sees_a_copy_of_the_requests_and_nobody_hears_its_answers(
    world: World, served: str, attacked: None
) -> None:
    old = revise(world, 204, canary={"steps": [{"weight": 0, "mirror": 100, "pause": True}, {"weight": 50}]})
    new = state(world, "Paused")["candidate"]["revision"]
    with load(world, served) as result:
        wait_until("some copies", lambda: predictions(world, new) >= 100, PATIENCE)
    nothing_lost(result)
    assert set(result["by"]) == {old}
    with load(world, served) as result:
        world.annotate("md", served, skip=new)
        assert settled(world) == new
    nothing_lost(result)


def test_a_recreate_never_has_pods_of_both_and_answers_again(world: World, served: str, attacked: None) -> None:
    with side_by_side(world) as seen, load(world, served) as result:
        old = revise(world, 205, recreate={})
        new = settled(world)
    assert [there for there in seen if new in there and there != {new}] == []
    assert any(old in there for there in seen)  # beside those of the test before, which may still be ending
    assert set(result["lost"]) == {"503"}, result
    with load(world, served) as result:
        pass
    nothing_lost(result)
    assert set(result["by"]) == {new}


def test_a_switch_is_previewed_and_undone(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        blue = revise(world, 203, blueGreen={"autoPromote": False, "keep": "60s"})
        green = state(world, "Paused")["candidate"]["revision"]
        with load(world, served, rate=5, connections=1, host=f"{served}-preview") as previewed:
            wait_until("some requests", lambda: previewed.asked_by_now() >= 20, PATIENCE)
        world.annotate("md", served, promote=green)
        assert state(world, "Ready")["stable"]["revision"] == green
        world.annotate("md", served, undo="it was better before")
        wait_until("blue serves", lambda: status(world)["stable"]["revision"] == blue, PATIENCE)
    nothing_lost(result)
    assert set(previewed["by"]) == {green}


@pytest.mark.alone  # both routers are deleted at once: others must start before these have drained, in five seconds
def test_routers_and_pods_come_and_go(world: World, served: str) -> None:
    with load(world, served) as result:
        world.patch("modeldeployment", served, replicas=1)
        wait_until("one pod serves", lambda: status(world)["replicas"] == 1, PATIENCE)
        world.kubectl("delete", "pod", "-l", f"lamplighter.dev/deployment={served},lamplighter.dev/component=router")
        world.patch("modeldeployment", served, replicas=2, router={"accessLog": True})
        settled(world)
    nothing_lost(result)


def test_a_node_is_drained(world: World, served: str, nodes: None) -> None:
    (router, *_) = world.all("pods", f"lamplighter.dev/deployment={served},lamplighter.dev/component=router")
    node = router["spec"]["nodeName"]
    selector = f"--pod-selector=lamplighter.dev/deployment={served}"
    with load(world, served) as result:
        try:
            kubectl("drain", node, selector, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=600s")
            wait_until("its pods run elsewhere", lambda: _all_ready(world), PATIENCE)
        finally:
            kubectl("uncordon", node)
    nothing_lost(result)


def test_it_serves_on_while_the_operator_is_away(world: World, served: str) -> None:
    with operators.away(), load(world, served) as result:
        pods = world.all("pods", f"lamplighter.dev/deployment={served}")
        world.kubectl("delete", "pod", pods[0]["metadata"]["name"], pods[-1]["metadata"]["name"])
        wait_until("they are replaced", lambda: _all_ready(world), PATIENCE)
    nothing_lost(result)


def test_a_revision_that_never_comes_up_gets_no_request(world: World, served: str) -> None:
    with load(world, served) as result:
        old: str = status(world)["stable"]["revision"]
        world.patch("modeldeployment", served, strategy=None, runtime={"image": "registry.invalid/x:1"})
        broken = state(world, "ImagePullFailed")
        assert (broken["candidate"]["weight"], broken["router"]["traffic"]) == (0, [{"revision": old, "weight": 100}])
        world.patch("modeldeployment", served, runtime={"image": None})
        settled(world)
    nothing_lost(result)


def _all_ready(world: World) -> bool:
    pods = world.all("pods", f"lamplighter.dev/deployment={NAME}")
    ready = [
        pod
        for pod in pods
        if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    ]
    return len(pods) == len(ready) == 4
