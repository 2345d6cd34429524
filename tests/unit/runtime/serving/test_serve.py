"""lamplighter-serve as a real process, with a stand-in for TorchServe's Java."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.tools import ROOT

from lamplighter_runtime.archive import mar

HERE = Path(__file__).parent
RUNTIME = ROOT / "training_images" / "runtime"
# The ports are fixed in a pod; a test takes free ones.
PROGRAM = """
import os, sys
from lamplighter_runtime.serving import probes, serve, torchserve_api
for name, port in zip(("INFERENCE_PORT", "MANAGEMENT_PORT", "METRICS_PORT"), os.environ["FAKE_PORTS"].split(",")):
    setattr(torchserve_api, name, int(port))
probes.serve.__defaults__ = (int(os.environ["PROBE_PORT"]),)
sys.exit(serve.main())
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Pod:
    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "termination-log"
        self.inference, management, metrics, self.probe = free_ports(4)
        java = folder / "java" / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\nexec {sys.executable} {HERE / 'fake_torchserve.py'}\n")
        java.chmod(0o755)
        (folder / "ts").mkdir()
        (folder / "ts" / "__init__.py").touch()
        (folder / "example.json").write_text("{}")
        model = mar.Model("digits", "1.0", "handler.py", example="example.json")
        mar.write(folder / "digits.mar", model, {"example.json": folder / "example.json"})
        self.environ = {
            **os.environ,
            "PYTHONPATH": f"{RUNTIME}{os.pathsep}{folder}",
            "JAVA_HOME": str(folder / "java"),
            "FAKE_PORTS": f"{self.inference},{management},{metrics}",
            "PROBE_PORT": str(self.probe),
            "LAMPLIGHTER_MODEL_NAME": "digits",
            "LAMPLIGHTER_MODEL_STORE": str(folder),
            "LAMPLIGHTER_DRAIN_DELAY_S": "0",
            "LAMPLIGHTER_TERMINATION_LOG": str(self.log),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, mode: str) -> "subprocess.Popen[bytes]":
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], env={**self.environ, "FAKE_MODE": mode})
        return self.process

    def request(self, port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def probes_as(self, status: int, path: str = "/ready") -> bool:
        return self.request(self.probe, "GET", path)[0] == status

    def said(self) -> dict:
        return json.loads(self.log.read_text())


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    made = Pod(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(timeout=20)


def until(condition: Callable[[], bool], timeout: float = 20) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_it_becomes_ready_and_stops_with_0(pod: Pod):
    process = pod.start("good")
    assert until(lambda: pod.probes_as(200))
    assert pod.probes_as(200, "/live")
    assert pod.probes_as(404, "/elsewhere")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_a_stop_waits_for_the_request_in_flight(pod: Pod):
    process = pod.start("good")
    assert until(lambda: pod.probes_as(200))
    answers: list[tuple[int, bytes]] = []
    slow = threading.Thread(
        target=lambda: answers.append(pod.request(pod.inference, "POST", "/predictions/digits", b"slow"))
    )
    slow.start()
    assert until(lambda: b"2.0" in pod.request(int(pod.environ["FAKE_PORTS"].split(",")[2]), "GET", "/metrics")[1])
    process.send_signal(signal.SIGTERM)
    assert until(lambda: pod.probes_as(503))
    slow.join(timeout=20)
    assert answers == [(200, b'{"predictions": [7]}')]
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("mode", "code", "reason", "part"),
    [
        (
            "broken",
            68,
            "WorkerFailed",
            "a worker could not load the model: ValueError: boom (handler.py, line 1, in initialize)",
        ),
        ("wrong", 68, "PredictionFailed", "the packaged example was answered with 503"),
        ("exit", 70, "ServerFailed", "TorchServe exited on its own with code 3"),
    ],
)
def test_what_cannot_serve_ends_with_the_reason(pod: Pod, mode: str, code: int, reason: str, part: str):
    assert pod.start(mode).wait(timeout=30) == code
    said = pod.said()
    assert (said["reason"], said["exitCode"]) == (reason, code)
    assert part in said["message"]


def test_readiness_ends_immediately_when_the_pod_is_asked_to_stop(pod: Pod):
    pod.environ["LAMPLIGHTER_DRAIN_DELAY_S"] = "6"
    process = pod.start("good")
    assert until(lambda: pod.probes_as(200))
    process.send_signal(signal.SIGTERM)
    assert until(lambda: pod.probes_as(503))
    assert pod.request(pod.inference, "POST", "/predictions/digits", b"{}")[0] == 200
    assert process.wait(timeout=20) == 0


def test_an_example_without_a_warm_up_is_refused(pod: Pod):
    pod.environ["LAMPLIGHTER_WARMUP"] = "0"
    assert pod.start("good").wait(timeout=20) == 78
    assert "spec.runtime.warmup is 0" in pod.said()["message"]


def test_a_file_that_is_not_an_archive_is_refused_before_anything_starts(pod: Pod):
    (pod.folder / "digits.mar").write_bytes(b"not a zip")
    assert pod.start("good").wait(timeout=20) == 65
    assert pod.said()["reason"] == "InvalidArchive"
