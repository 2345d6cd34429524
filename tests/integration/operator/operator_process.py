"""The operator as it runs in production, ``python -m lamplighter``, and what can be done to it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests import tools


class Operator:
    """One process; :meth:`start` begins another life of it. It is killed in the end, wherever it is."""

    def __init__(self, kubeconfig: Path, log: Path, namespaces: Collection[str] = (), **settings: str) -> None:
        """``settings`` are further environment variables, such as ``LAMPLIGHTER_RESYNC``."""
        self._port, self._progress_port = _free_ports(2)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LAMPLIGHTER_", "POD_"))},
            "PYTHONPATH": str(tools.ROOT / "operator"),
            "KUBECONFIG": str(kubeconfig),
            "LAMPLIGHTER_NAMESPACES": json.dumps(list(namespaces)),
            "LAMPLIGHTER_PORT": str(self._port),
            "LAMPLIGHTER_PROGRESS_PORT": str(self._progress_port),
            "LAMPLIGHTER_LEADER_ELECTION": "false",
            "LAMPLIGHTER_TORCHSERVE_IMAGE": "lamplighter/torchserve:dev",
            **settings,
        }

    def __enter__(self) -> "Operator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()

    @property
    def progress_address(self) -> tuple[str, int]:
        """Where it takes reports."""
        return "127.0.0.1", self._progress_port

    def start(self) -> None:
        """Begin a life."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "lamplighter"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without a word."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(30)

    @property
    def exit_code(self) -> int | None:
        """How the process has ended; None while it lives."""
        assert self._process is not None
        return self._process.poll()

    @property
    def ready(self) -> bool:
        """What the readiness probe sees; it is an error when the process has ended."""
        assert self.exit_code is None, f"the operator ended with status {self.exit_code}:\n{self.log}"
        return self._get("/readyz") == "ok"

    @property
    def leads(self) -> bool:
        """True when the process says that it holds the lease."""
        return self.exit_code is None and "lamplighter_leader 1.0" in self._get("/metrics")

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """All samples by name: labels and value."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self._get("/metrics")):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def total(self, name: str) -> float:
        """The sum of a metric over all its labels; 0 while there is no answer."""
        return sum(value for _, value in self.metrics().get(name, []))

    @property
    def log(self) -> str:
        """Everything that all lives have logged."""
        return self._log.read_text(errors="replace")

    def log_entries(self) -> list[dict[str, Any]]:
        """The log, line by line; a line that is not JSON is an error."""
        return [json.loads(line) for line in self.log.splitlines()]

    def trainings(self) -> str:
        """What Prometheus reads of the trainings."""
        return self._get("/metrics/trainings")

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
