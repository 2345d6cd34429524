"""A fresh kwok cluster for each part of the benchmark, so that nothing is left of the part before."""

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import tools
from tests.programs.bench.server import Server

NAME = "lamplighter-bench"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up and has our CRDs."""

    kubeconfig: Path
    server: Server
    components: dict[str, int]
    """The process of each part of the control plane, by name."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Only one benchmark at a time on a machine: two would measure, and delete, each other."""
    with (Path(tempfile.gettempdir()) / f"{NAME}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another benchmark is under way on this machine; this one begins after it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def fresh(keep: bool = False) -> Iterator[Cluster]:
    """A new cluster while inside; ``keep`` leaves it for a look at it, until the next benchmark."""
    _kwok("down")
    _kwok("up")
    try:
        kubeconfig = tools.STATE / f"{NAME}.kubeconfig"
        _kubectl(kubeconfig, "apply", "--server-side", "-k", str(tools.ROOT / "crds"))
        _kubectl(kubeconfig, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        yield Cluster(kubeconfig, Server(kubeconfig), _components())
    finally:
        if not keep:
            _kwok("down")


def _kwok(verb: str) -> None:
    environment = {**os.environ, "KWOK_NAME": NAME}
    subprocess.run([tools.ROOT / "tests/cluster/kwok.sh", verb], env=environment, stdout=sys.stderr, check=True)


def _kubectl(kubeconfig: Path, *arguments: str) -> None:
    subprocess.run([tools.kubectl(), "--kubeconfig", str(kubeconfig), *arguments], stdout=sys.stderr, check=True)


def _components() -> dict[str, int]:
    cache = Path(tools.kubectl()).parents[1]
    files = (cache / "kwok" / "clusters" / NAME / "pids").glob("*.pid")
    return {file.stem: int(file.read_text()) for file in sorted(files)}
