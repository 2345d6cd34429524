"""A real API server (`make kwok`) with our CRDs, and a namespace of its own for each test."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kubernetes import client, config
from tests import tools
from tests.integration.control_plane import control_plane

Kubectl = Callable[..., str]


@pytest.fixture(scope="session")
def kubeconfig(worker_id: str) -> Iterator[Path]:
    """The kubeconfig of the kwok cluster; each further process of pytest-xdist has a cluster of its own."""
    if worker_id in ("master", "gw0"):
        yield tools.kubeconfig("kwok")
    else:
        with control_plane("side-by-side") as own:
            yield own.kubeconfig


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path) -> Kubectl:
    """Run kubectl against the cluster: ``kubectl("get", "mt")`` gives what it prints."""

    def run(*arguments: str) -> str:
        command = [tools.kubectl(), "--kubeconfig", str(kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} exited {done.returncode}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def crds(kubectl: Kubectl) -> None:
    """Our CRDs as they are in the working tree, established."""
    names = kubectl("apply", "--server-side", "--force-conflicts", "-k", str(tools.ROOT / "crds"), "-o", "name").split()
    kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


@pytest.fixture(scope="session")
def api(kubeconfig: Path, crds: None) -> Iterator[client.ApiClient]:
    """A client of the cluster; every ``kubernetes.client.*Api`` takes it."""
    with config.new_client_from_config(str(kubeconfig)) as connection:
        yield connection


@pytest.fixture
def namespace(api: client.ApiClient) -> Iterator[str]:
    """An empty namespace that is deleted, without waiting, after the test."""
    core = client.CoreV1Api(api)
    name = f"test-{uuid4().hex[:12]}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)
