"""What the router costs, what a transition loses, and how exact and how quick a split is: on kind, with TorchServe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import orjson
from tests import tools
from tests.e2e import operators
from tests.e2e.gangs import OUTPUT
from tests.e2e.load import Result, load
from tests.e2e.world import PATIENCE, World
from tests.programs.bench import overhead
from tests.programs.bench.figures import Aim, rounded
from tests.programs.bench.server import PATHS, Obj, Server
from tests.programs.bench.sightings import Sightings, UnfinishedError
from tests.programs.demo.cluster import install_operator, kubectl
from tests.waiting import wait_until

NAME = "net"
RATE = 200.0
PACKAGE = {"modelFile": "model.py", "handler": "handler.py", "example": "example.json"}
TURNS = 4
"""How often direct and routed requests take turns, so that a busy minute hits both."""


def serving(requests: int) -> dict[str, Any]:
    """All figures; ``requests``: how many are sent at least through each transition. Or ``left_out``: why none."""
    if why := overhead.left_out():
        return {"left_out": why}
    install_operator()
    with _deployment() as world:
        return {
            "router": _router(world),
            "split_error": _split_error(world, requests),
            "shift_s": _shift_s(world),
            "lost": {name: _lost(world, name, act, requests) for name, act in _TRANSITIONS.items()},
        }


def _router(world: World) -> dict[str, Any]:
    """Latency at a steady rate and throughput of a closed loop, through the router and to a pod itself.

    There is one pod meanwhile: with a second one behind it, the router would be faster than what it is compared with.
    """
    _scale(world, 1)
    world.apply(_OPEN)
    (pod,) = world.all("pods", f"lamplighter.dev/deployment={NAME},lamplighter.dev/revision")
    direct, routed = f"{pod['status']['podIP']}:8080", f"{NAME}.{world.namespace}.svc"
    wait_until("the pod answers", lambda: not _asked(world, direct, rate=1, connections=1, seconds=1)["lost"], PATIENCE)
    found: dict[str, list[Result]] = {"direct": [], "routed": [], "direct_full": [], "routed_full": []}
    for _ in range(TURNS):
        for name, host in (("direct", direct), ("routed", routed)):
            found[name].append(_run(world, host, rate=20, connections=1, seconds=8))
            found[f"{name}_full"].append(_run(world, host, rate=100_000, connections=8, seconds=8))
    p50, p99 = (
        {name: min(result[key] for result in found[name]) for name in ("direct", "routed")}
        for key in ("p50_ms", "p99_ms")
    )
    world.kubectl("delete", "networkpolicy", "open")
    _scale(world, 2)
    full = {name: max(result["asked"] for result in found[f"{name}_full"]) for name in ("direct", "routed")}
    return {
        "p50_overhead_ms": rounded(p50["routed"] - p50["direct"]),
        "p99_overhead_ms": rounded(p99["routed"] - p99["direct"]),
        "throughput_ratio": rounded(full["routed"] / full["direct"]),
        "p50_ms": p50,
        "p99_ms": p99,
    }


def _run(world: World, host: str, *, rate: float, connections: int, seconds: float) -> Result:
    result = _asked(world, host, rate=rate, connections=connections, seconds=seconds)
    if result["lost"]:
        raise UnfinishedError(f"{host} did not answer all requests, so it cannot be compared: {result['lost']}")
    return result


def _asked(world: World, host: str, *, rate: float, connections: int, seconds: float) -> Result:
    with load(world, NAME, rate=rate, connections=connections, host=host) as result:
        time.sleep(seconds)
    return result


def _split_error(world: World, requests: int) -> dict[str, Any]:
    """The measured share of a candidate that was asked to have 20 %, and what chance alone explains 99 times of 100."""
    _revise(world, canary={"steps": [{"weight": 20, "pause": True}]})
    _until(world, "Paused")
    name = _status(world)["candidate"]["revision"]
    with load(world, NAME, rate=RATE) as result:
        wait_until("enough requests", lambda: result.asked_by_now() >= requests, PATIENCE + 3 * requests / RATE)
    world.annotate("md", NAME, promote=name)
    _settle(world)
    chance, error = 2.576 * (0.2 * 0.8 / result["asked"]) ** 0.5, abs(result.share(name) - 0.2)
    told = {"error": round(error, 4), "chance": round(chance, 4), "of_chance": rounded(error / chance)}
    return told | {"requests": result["asked"]}


def _shift_s(world: World) -> dict[str, float]:
    """Seconds from an annotation that asks for the next weight until every router pod has said that it has it."""
    _revise(world, canary={"steps": [{"weight": weight, "pause": True} for weight in (10, 20, 30, 40, 50)]})
    took, server, shifts = [], Server(tools.kubeconfig("kind")), Sightings("in force", _in_force)
    path = f"{PATHS['ModelDeployment'].format(world.namespace)}/{NAME}"
    with server.watch("ModelDeployment", world.namespace, shifts), server.connection() as connection:
        for weight in ("20", "30", "40", "50"):
            _until(world, "Paused")
            begun = time.perf_counter()
            notes = {"lamplighter.dev/resume": f"{weight} {time.time()}"}
            connection.patch(path, orjson.dumps({"metadata": {"annotations": notes}}))
            took.append(shifts.wait([weight], PATIENCE)[weight] - begun)
    world.annotate("md", NAME, promote=str(time.time()))
    _settle(world)
    return {"min": rounded(min(took)), "max": rounded(max(took))}


def _lost(world: World, name: str, act: Callable[[World], None], requests: int) -> dict[str, Any]:
    """How many of so many requests were lost while something happened, again and again."""
    overhead.say(f"{name}: at least {requests} requests")
    turns, unfinished = 0, None
    with load(world, NAME, rate=RATE) as result:
        try:
            while turns == 0 or result.asked_by_now() < 1.2 * requests:  # a busy machine sends fewer than it should
                act(world)
                turns += 1
        except (RuntimeError, TimeoutError) as error:  # the other transitions are measured all the same
            unfinished = str(error)[-500:]
    if unfinished is None and result["asked"] < requests:
        unfinished = f"the machine sent fewer than {requests} requests"
    lost = None if unfinished else sum(result["lost"].values())  # an aim is not met by what was not measured
    found = {"lost": lost, "asked": result["asked"], "turns": turns, "why": result["lost"]}
    return found | ({"unfinished": unfinished} if unfinished else {})


def _rollout(world: World) -> None:
    _revise(world, canary={"steps": [{"weight": 20, "hold": "1s"}, {"weight": 60, "hold": "1s"}]})
    _settle(world)


def _undo(world: World) -> None:
    _revise(world, canary={"steps": []})
    _settle(world)
    world.annotate("md", NAME, undo=f"turn {time.time()}")
    _settle(world)


def _abort(world: World) -> None:
    _revise(world, canary={"steps": [{"weight": 50, "pause": True}]})
    _until(world, "Paused")
    world.annotate("md", NAME, abort=f"turn {time.time()}")
    wait_until("aborted", lambda: _status(world)["state"] == "Aborted" and not _status(world)["retiring"], PATIENCE)


def _scale_down(world: World) -> None:
    for replicas in (3, 2):
        _scale(world, replicas)


def _scale(world: World, replicas: int) -> None:
    world.patch("md", NAME, replicas=replicas)
    wait_until(f"{replicas} pods", lambda: _pods(world) == replicas, PATIENCE)
    _until(world, "Ready", "Aborted")


def _router_restart(world: World) -> None:
    world.kubectl("rollout", "restart", "deployment", "-l", _ROUTERS)
    world.kubectl("rollout", "status", "deployment", "-l", _ROUTERS)


def _operator_restart(world: World) -> None:
    operators.sigkill(operators.pods())
    world.patch("md", NAME, runtime={"jobQueueSize": _queue()})
    _until(world, "Ready", "Aborted")


def _node_drain(world: World) -> None:
    (pod, *_) = world.all("pods", f"{_ROUTERS}")
    node = pod["spec"]["nodeName"]
    selector = f"--pod-selector=lamplighter.dev/deployment={NAME}"
    try:
        kubectl("drain", node, selector, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
    finally:
        kubectl("uncordon", node)
    _until(world, "Ready", "Aborted")


_OPEN = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "open"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
}
"""Models are asked without their router, too: that is what it is compared with."""
_ROUTERS = f"lamplighter.dev/deployment={NAME},lamplighter.dev/component=router"
_TRANSITIONS: dict[str, Callable[[World], None]] = {
    "rollout": _rollout,
    "undo": _undo,
    "scale_down": _scale_down,
    "router_restart": _router_restart,
    "operator_restart": _operator_restart,
    "node_drain": _node_drain,
    "abort": _abort,
}


@contextmanager
def _deployment() -> Iterator[World]:
    """A model that two pods serve."""
    world = World(f"bench-{uuid4().hex[:8]}")
    kubectl("create", "namespace", world.namespace)
    try:
        world.kubectl("apply", "-f", str(tools.ROOT / "manifests/samples/digits/code.yaml"))
        world.train(NAME, args=["--epochs", "1"], package=PACKAGE, output=OUTPUT)
        world.succeeded(NAME)
        small = {"requests": {"cpu": "50m", "memory": "256Mi"}}
        world.deploy(
            NAME, model={"trainingRef": {"name": NAME}}, replicas=2, resources=small, router={"resources": small}
        )
        _until(world, "Ready")
        yield world
    finally:
        kubectl("delete", "namespace", world.namespace, "--wait=false")


def _status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.get("modeldeployment", NAME)["status"]
    return found


def _until(world: World, *states: str) -> None:
    def there() -> bool:
        obj = world.get("modeldeployment", NAME)
        status = obj.get("status", {})
        return status.get("observedGeneration") == obj["metadata"]["generation"] and status["state"] in states

    wait_until(" or ".join(states), there, PATIENCE)


def _settle(world: World) -> None:
    """Nothing is on its way in or out."""
    _until(world, "Ready")
    wait_until("settled", lambda: not _status(world).get("retiring") and not _status(world).get("candidate"), PATIENCE)


def _revise(world: World, **strategy: Any) -> None:
    world.patch("md", NAME, strategy=None)
    world.patch("md", NAME, runtime={"jobQueueSize": _queue()}, strategy=strategy)
    _until(world, "RollingOut", "Holding", "Paused")


def _queue() -> int:
    """A setting that changes nothing but the revision."""
    return 200 + int(time.time() * 10) % 90_000


def _pods(world: World) -> int:
    return len(world.all("pods", f"lamplighter.dev/deployment={NAME},lamplighter.dev/revision"))


def _in_force(obj: Obj) -> str | None:
    """Sees the candidate's weight when every router pod has said that it has it."""
    status = obj.get("status") or {}
    weight, router = (status.get("candidate") or {}).get("weight"), status.get("router") or {}
    told = any(share["weight"] == weight for share in router.get("traffic", ()))
    return str(weight) if router.get("verified") and told else None


AIMS = (
    Aim(("serving", "router", "p50_overhead_ms"), 1),
    Aim(("serving", "router", "throughput_ratio"), 0.9, at_least=True),
    Aim(("serving", "split_error", "of_chance"), 1),
    Aim(("serving", "shift_s", "max"), 2),
    *(Aim(("serving", "lost", name, "lost"), 0) for name in _TRANSITIONS),
)
