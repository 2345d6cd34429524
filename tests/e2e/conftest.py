"""A real kind cluster (`make cluster images`) with the operator inside it, under its real RBAC."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests import tools
from tests.e2e import operators, rollouts, sharing
from tests.e2e.world import World
from tests.programs.demo.cluster import install_operator, kubectl


@pytest.fixture(scope="session")
def operator() -> None:
    """The operator of the working tree runs in the cluster."""
    install_operator()


@pytest.fixture(scope="module")
def world(operator: None) -> Iterator[World]:
    """A namespace that enforces the restricted Pod Security Standard, with the digits sample's code in it."""
    name = f"e2e-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("-n", name, "apply", "-f", str(tools.ROOT / "manifests/samples/digits/code.yaml"))
    yield World(name)
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def served(world: World) -> str:
    """A deployment that serves: its name."""
    return rollouts.serve(world)


@pytest.fixture
def nodes() -> Iterator[None]:
    """The nodes stay as this test has them: no other closes one to new pods meanwhile."""
    with sharing.sole(sharing.NODES):
        yield


@pytest.fixture
def attacked() -> Iterator[None]:
    """The operator is killed again and again."""
    with operators.under_attack(seed=7, between=(4.0, 10.0)):
        yield
