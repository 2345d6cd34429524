"""Who reaches what, where NetworkPolicies are in force."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.e2e.rollouts import NAME
from tests.e2e.world import PATIENCE, World, plain_pod
from tests.programs.demo.cluster import kubectl
from tests.waiting import wait_until

PREDICTIONS, MANAGEMENT, METRICS, GRPC, HEALTH = 8080, 8081, 8082, 7070, 8090
_ASK = """\
import json, socket, sys
found = {}
for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), timeout=3).close()
        found[port] = "open"
    except ConnectionRefusedError:
        found[port] = "refused"
    except OSError:
        found[port] = "silent"
print(json.dumps(found))
"""
_ROUTER = {"lamplighter.dev/deployment": NAME, "lamplighter.dev/component": "router"}


@pytest.fixture
def elsewhere() -> Iterator[World]:
    """Another namespace."""
    name = f"e2e-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield World(name)
    kubectl("delete", "namespace", name, "--wait=false")


def stranger(world: World, **labels: str) -> str:
    """A pod that runs and does nothing: its name."""
    name = f"stranger-{uuid4().hex[:8]}"
    pod = plain_pod(name, ["sleep", "3600"])
    pod["metadata"]["labels"], pod["spec"]["terminationGracePeriodSeconds"] = labels, 0
    world.apply(pod)
    world.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=300s")
    return name


def asked(world: World, pod: str, host: str, *ports: int) -> dict[int, str]:
    """What becomes of a pod's connections to a host, by port: ``open``, ``refused`` or ``silent``."""
    said = json.loads(world.kubectl("exec", pod, "--", "python", "-c", _ASK, host, *map(str, ports)))
    return {int(port): outcome for port, outcome in said.items()}


def model_address(world: World, name: str) -> str:
    """Where a pod of a model listens."""
    (pod, *_) = world.all("pods", f"lamplighter.dev/deployment={name},lamplighter.dev/revision")
    return str(pod["status"]["podIP"])


def test_models_are_reached_through_their_routers_alone(world: World, served: str, elsewhere: World) -> None:
    address, service = model_address(world, served), f"{served}.{world.namespace}.svc"
    ports = (PREDICTIONS, MANAGEMENT, METRICS, GRPC, HEALTH)
    shut_out = {**dict.fromkeys(ports, "silent"), METRICS: "open"}
    for where, pod in ((world, stranger(world)), (elsewhere, stranger(elsewhere, **_ROUTER))):

        def kept_out(where: World = where, pod: str = pod) -> bool:
            return asked(where, pod, address, *ports) == shut_out

        def served_by_routers(where: World = where, pod: str = pod) -> bool:
            return asked(where, pod, service, 80, GRPC) == {80: "open", GRPC: "open"}

        # Until those who enforce policies have heard of a pod, they let it through.
        wait_until(f"{pod} is kept out", kept_out, PATIENCE)
        wait_until(f"{pod} is served by the routers", served_by_routers, PATIENCE)


def test_management_is_closed_even_to_who_is_let_in(world: World, served: str) -> None:
    pod, address = stranger(world, app="admitted"), model_address(world, served)
    models = {
        "matchLabels": {"lamplighter.dev/deployment": served},
        "matchExpressions": [{"key": "lamplighter.dev/revision", "operator": "Exists"}],
    }
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "admitted"}}}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "admitted"}}
    world.apply(policy | {"spec": {"podSelector": models, "policyTypes": ["Ingress"], "ingress": [rule]}})
    wanted = {PREDICTIONS: "open", GRPC: "open", HEALTH: "open", MANAGEMENT: "refused"}
    try:
        wait_until("all but management is open", lambda: asked(world, pod, address, *wanted) == wanted, PATIENCE)
    finally:
        world.kubectl("delete", "networkpolicy", "admitted")
