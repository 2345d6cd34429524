"""Who reaches what, where NetworkPolicies are in force."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.demo.cluster import kubectl, wait_until
from tests.e2e.rollouts import NAME
from tests.e2e.world import PATIENCE, World

PREDICTIONS, MANAGEMENT, METRICS, GRPC, HEALTH = 8080, 8081, 8082, 7070, 8090
_ASK = """\
import json, socket, sys
reached = []
for port in map(int, sys.argv[2:]):
    try:
        socket.create_connection((sys.argv[1], port), timeout=3).close()
        reached.append(port)
    except OSError:
        pass
print(json.dumps(reached))
"""
_LOCKED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
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
    container = {
        "name": "stranger",
        "image": "lamplighter/pytorch:dev",
        "command": ["sleep", "3600"],
        "securityContext": _LOCKED,
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    world.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
    world.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=300s")
    return name


def reached(world: World, pod: str, host: str, *ports: int) -> set[int]:
    """The ports of a host that take a connection from a pod."""
    return set(json.loads(world.kubectl("exec", pod, "--", "python", "-c", _ASK, host, *map(str, ports))))


def test_models_are_reached_through_their_routers_alone(world: World, served: str, elsewhere: World) -> None:
    (model, *_) = world.all("pods", f"lamplighter.dev/deployment={served},lamplighter.dev/revision")
    address, every = model["status"]["podIP"], (PREDICTIONS, MANAGEMENT, METRICS, GRPC, HEALTH)
    neighbour, pretender = stranger(world), stranger(elsewhere, **_ROUTER)
    for name, pod in ((world, neighbour), (elsewhere, pretender)):
        # A pod is let through until those who enforce policies have heard of it.
        wait_until(
            f"{pod} is shut out", lambda name=name, pod=pod: reached(name, pod, address, *every) == {METRICS}, 60
        )
        assert reached(name, pod, f"{served}.{world.namespace}.svc", 80, GRPC) == {80, GRPC}


def test_the_management_port_is_not_even_open_to_a_router(world: World, served: str) -> None:
    (model, *_) = world.all("pods", f"lamplighter.dev/deployment={served},lamplighter.dev/revision")
    admitted, address = stranger(world, app="admitted"), model["status"]["podIP"]
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "admitted"}}}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "admitted"}}
    selected = {"matchLabels": {"lamplighter.dev/deployment": served}}
    world.apply(policy | {"spec": {"podSelector": selected, "policyTypes": ["Ingress"], "ingress": [rule]}})
    try:
        wait_until(
            "the pod is admitted to what listens",
            lambda: {PREDICTIONS, METRICS, HEALTH} <= reached(world, admitted, address, PREDICTIONS, METRICS, HEALTH),
            PATIENCE,
        )
        assert MANAGEMENT not in reached(world, admitted, address, MANAGEMENT)
    finally:
        world.kubectl("delete", "networkpolicy", "admitted")
