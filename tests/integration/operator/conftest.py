"""Operator processes, and the watches of the namespace that they work in."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.integration.engine import server
from tests.integration.engine.server import Server
from tests.integration.engine.watches import Watches
from tests.integration.operator.operator_process import Operator
from tests.programs.bench.router_pods import RouterPods
from tests.programs.bench.server import Server as Cluster

NewOperator = Callable[..., Operator]


@pytest.fixture(scope="session")
def router_status(kubeconfig: Path) -> Iterator[str]:
    """Where router pods are answered for, which run nothing on fake nodes."""
    with RouterPods().serving(Cluster(kubeconfig)) as url:
        yield url


@pytest.fixture
def new_operator(
    kubeconfig: Path, crds: None, tmp_path: Path, namespace: str, router_status: str
) -> Iterator[NewOperator]:
    """Start an operator for the namespace of the test; keyword arguments are its environment variables."""
    with ExitStack() as running:
        logs = (tmp_path / f"operator-{number}.log" for number in range(1, 100))

        def start(namespaces: tuple[str, ...] = (namespace,), **settings: str) -> Operator:
            known = {"LAMPLIGHTER_ROUTER_STATUS": router_status, **settings}
            return running.enter_context(Operator(kubeconfig, next(logs), namespaces, **known))

        yield start


@pytest.fixture
async def connection(kubeconfig: Path) -> AsyncIterator[Server]:
    """A connection to the API server."""
    async with server.connect(kubeconfig, Server) as connected:
        yield connected


@pytest.fixture
async def watches(connection: Server, namespace: str, crds: None) -> AsyncIterator[Watches]:
    """The watches of the namespace of the test."""
    async with Watches.of(connection, namespace) as told:
        yield told
