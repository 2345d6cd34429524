"""Containers that are removed, and clients made from TorchServe's own protocol files."""

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests import tools
from tests.builders import a_deployment
from tests.builders.deployments import Deployment
from tests.serving.container import NAME, Container, docker, fetch, package

Start = Callable[..., Container]
_JAR = "/opt/venv/lib/python3.11/site-packages/ts/frontend/model-server.jar"
_PROTOCOLS = ("inference.proto", "management.proto", "google/rpc/status.proto")


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
def protocol(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Python modules made from the .proto files in TorchServe's jar."""
    folder = tmp_path_factory.mktemp("protocol")
    created = docker("create", image)
    docker("cp", f"{created}:{_JAR}", str(folder / "server.jar"))
    docker("rm", created)
    with zipfile.ZipFile(folder / "server.jar") as jar:
        for name in _PROTOCOLS:
            jar.extract(name, folder)
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", *_PROTOCOLS]
    subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture
def stubs(protocol: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules: `inference_pb2`, `inference_pb2_grpc` and those of the management API."""
    import importlib

    monkeypatch.syspath_prepend(str(protocol))
    names = [f"{name}_pb2{suffix}" for name in ("inference", "management") for suffix in ("", "_grpc")]
    return {name: importlib.import_module(name) for name in names}
