"""Clients made from TorchServe's own protocol files, which lie in the image."""

import importlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_JAR = "/opt/venv/lib/python3.11/site-packages/ts/frontend/model-server.jar"
_PROTOCOLS = ("inference.proto", "management.proto", "google/rpc/status.proto")


@contextmanager
def stubs(image: str, folder: Path) -> Iterator[dict[str, ModuleType]]:
    """The modules, made in a folder: `inference_pb2`, `inference_pb2_grpc` and those of the management API."""
    created = _run("docker", "create", image)
    _run("docker", "cp", f"{created}:{_JAR}", str(folder / "server.jar"))
    _run("docker", "rm", created)
    with zipfile.ZipFile(folder / "server.jar") as jar:
        for name in _PROTOCOLS:
            jar.extract(name, folder)
    out = ("-I.", "--python_out=.", "--grpc_python_out=.")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *out, *_PROTOCOLS], cwd=folder, check=True)
    names = [f"{name}_pb2{suffix}" for name in ("inference", "management") for suffix in ("", "_grpc")]
    sys.path.insert(0, str(folder))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
