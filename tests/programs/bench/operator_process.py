"""The operator as a process of its own, as in production but for the lease."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests import tools
from tests.programs.bench import process
from tests.programs.bench.figures import WRITES, Requests
from tests.programs.bench.sightings import UnfinishedError

_START_S = 60.0
QUIET_S = 0.6
"""Seconds without a request after which the operator is done."""


class Operator:
    """Runs while inside."""

    def __init__(self, kubeconfig: Path, log: Path, profile: Path | None = None, **settings: str) -> None:
        """``settings``: more of them, such as ``ROUTER_STATUS``."""
        self._port = _free_port()
        self.progress_port = _free_port()
        self._log = log
        python = [sys.executable, *(["-m", "cProfile", "-o", str(profile)] if profile else [])]
        self._command = [*python, "-m", "lamplighter"]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHTER_")},
            "PYTHONPATH": str(tools.ROOT / "operator"),
            "KUBECONFIG": str(kubeconfig),
            "LAMPLIGHTER_LEADER_ELECTION": "false",
            "LAMPLIGHTER_PORT": str(self._port),
            "LAMPLIGHTER_PROGRESS_PORT": str(self.progress_port),
            "LAMPLIGHTER_RESYNC": "86400",  # no request but those that the trainings cause
            **{f"LAMPLIGHTER_{name}": value for name, value in settings.items()},
        }

    def __enter__(self) -> "Operator":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=log, stdout=log)
        deadline = time.monotonic() + _START_S
        try:
            while not self._ready():
                self.alive()
                if time.monotonic() > deadline:
                    raise UnfinishedError(f"the operator is not ready after {_START_S:.0f} s; {self._last_words()}")
                time.sleep(0.05)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def rss_mib(self) -> float:
        """Resident memory in MiB."""
        return process.rss_mib(self.pid)

    def alive(self) -> None:
        """Raises :class:`UnfinishedError` when the process has ended."""
        if self._process.poll() is not None:
            raise UnfinishedError(f"the operator ended with status {self._process.returncode}; {self._last_words()}")

    def requests(self) -> Requests:
        """Requests to the API server so far."""
        return _requests(self._samples())

    def quiet(self, timeout: float = 60.0) -> Requests:
        """Requests so far, once no more are sent.

        Raises:
            UnfinishedError: it goes on and on.
        """
        deadline = time.monotonic() + timeout
        before: Requests | None = None
        while (now := self.requests()) != before:
            if time.monotonic() > deadline:
                raise UnfinishedError(f"the operator still sends requests {timeout:.0f} s after the work was done")
            before = now
            time.sleep(QUIET_S)
        return now

    def idle(self, trainings: int, timeout: float) -> tuple[float, float]:
        """Wait until every training was looked at and nothing has happened since.

        Returns the moment (perf_counter) of the last thing that happened, and how many writes were sent.

        Raises:
            UnfinishedError: it goes on and on.
        """
        deadline = time.monotonic() + timeout
        last, at = None, time.perf_counter()
        while True:
            now, looked_at, waiting = self._work()
            if (now, looked_at) != last:
                last, at = (now, looked_at), time.perf_counter()
            elif looked_at >= trainings and not waiting and time.perf_counter() - at > QUIET_S:
                return at, sum(value for (verb, _), value in now.items() if verb in WRITES)
            if time.monotonic() > deadline:
                raise UnfinishedError(f"after {timeout:.0f} s {looked_at:.0f} of {trainings} were looked at")
            time.sleep(0.1)

    def _work(self) -> tuple[Requests, float, float]:
        """Requests and reconciles of trainings so far, and how many wait."""
        samples = self._samples()
        done = sum(
            sample.value
            for sample in samples
            if sample.name == "lamplighter_reconcile_seconds_count" and sample.labels["kind"] == "ModelTraining"
        )
        waiting = sum(sample.value for sample in samples if sample.name == "lamplighter_queue_depth")
        return _requests(samples), done, waiting

    def _samples(self) -> list[Sample]:
        families = text_string_to_metric_families(self._metrics())
        return [sample for family in families for sample in family.samples]

    def _metrics(self) -> str:
        try:
            return self._get("/metrics")
        except OSError as error:
            self.alive()
            raise UnfinishedError(f"the operator lives but does not answer: {error}") from error

    def _ready(self) -> bool:
        try:
            return self._get("/readyz") == "ok"
        except OSError:
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def _last_words(self) -> str:
        return "\n".join([f"{self._log} ends:", *self._log.read_text(errors="replace").splitlines()[-10:]])

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _requests(samples: Iterable[Sample]) -> Requests:
    found: dict[tuple[str, str], float] = {}
    for sample in samples:
        if sample.name == "lamplighter_api_requests_total":
            place = (sample.labels["verb"], sample.labels["resource"])
            found[place] = found.get(place, 0.0) + sample.value
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
