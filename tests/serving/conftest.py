"""Containers that are removed in the end, and clients of their gRPC APIs."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from tests import protocol, tools
from tests.builders import a_deployment
from tests.builders.deployments import Deployment
from tests.serving.container import NAME, Container, fetch, package

Start = Callable[..., Container]


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the working tree."""
    return tools.serving_image()


@pytest.fixture(scope="session")
def starter(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Packages, fetches and serves a model; gives the container, which starts while the test does something else."""
    started: list[Container] = []

    def start(
        handler: str,
        example: str = "{}",
        limits: dict[str, Any] | None = None,
        /,
        environment: Any = None,
        **runtime: Any,
    ) -> Container:
        folder = tmp_path_factory.mktemp("pod")
        folder.chmod(0o755)
        folder.parent.chmod(0o755)
        models, store = folder / "models", folder / "store"
        models.mkdir(mode=0o755)
        sha256 = package(models, handler, example)
        assert fetch(image, models, store, sha256)[0] == 0
        deployment: Deployment = a_deployment(NAME).serving("pvc://claim/model.mar", sha256).runtime(**runtime)
        deployment.resources(**({"cpu": "2", "memory": "3Gi"} if limits is None else limits))
        started.append(Container(image, store, deployment, **(environment or {})))
        return started[-1]

    yield start
    for container in started:
        container.remove()


@pytest.fixture(scope="session")
def stubs(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ModuleType]]:
    """The modules of TorchServe's gRPC APIs."""
    with protocol.stubs(image, tmp_path_factory.mktemp("protocol")) as found:
        yield found
