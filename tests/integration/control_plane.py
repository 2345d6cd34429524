"""A throw-away cluster, whose API server may be killed."""

import contextlib
import os
import select
import signal
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import tools

_OURS = f"{os.environ.get('PYTEST_XDIST_WORKER', 'only')}-{zlib.crc32(bytes(tools.ROOT)):08x}"
"""Clusters are the machine's: neither tests of two checkouts nor processes side by side may delete each other's."""


@dataclass(frozen=True)
class ControlPlane:
    """A cluster without our CRDs."""

    name: str
    kubeconfig: Path

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl against it."""
        command = [tools.kubectl(), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def install(self) -> None:
        """Apply our CRDs."""
        self.kubectl("apply", "--server-side", "-k", str(tools.ROOT / "crds"))
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")

    def restart_api_server(self) -> None:
        """Kill the API server, and start it again as it was; it needs some seconds to answer."""
        pid_file = Path(tools.kubectl()).parents[1] / "kwok" / "clusters" / self.name / "pids" / "kube-apiserver.pid"
        running = Path("/proc") / pid_file.read_text().strip()
        command = (running / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        folder = (running / "cwd").readlink()
        handle = os.pidfd_open(int(running.name))
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [])  # until it is dead and its port is free
        os.close(handle)
        again = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid_file.write_text(str(again.pid))


@contextlib.contextmanager
def control_plane(purpose: str = "throw-away") -> Iterator[ControlPlane]:
    """A new cluster while inside; clusters of different purposes do not meet."""
    name = f"lamplighter-{purpose}-{_OURS}"
    _kwok(name, "down")
    _kwok(name, "up")
    try:
        yield ControlPlane(name, tools.STATE / f"{name}.kubeconfig")
    finally:
        _kwok(name, "down")


def _kwok(name: str, verb: str) -> None:
    script = tools.ROOT / "tests" / "cluster" / "kwok.sh"
    environment = {**os.environ, "KWOK_NAME": name}
    done = subprocess.run([script, verb], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kwok.sh {verb} of {name} exited {done.returncode}: {done.stderr.strip()}")
