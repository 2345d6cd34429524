"""lamplighter-serve: run TorchServe, answer the kubelet's probes, and stop it without losing a request."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from lamplighter_runtime.archive import mar
from lamplighter_runtime.common import cgroup, termination
from lamplighter_runtime.common.environment import CONFIGURATION_ERROR, ConfigurationError, integer
from lamplighter_runtime.common.signals import StopRequest, exit_status
from lamplighter_runtime.common.stream import LineFilter
from lamplighter_runtime.common.tracebacks import TracebackFinder
from lamplighter_runtime.serving import probes, torchserve_api, torchserve_config, torchserve_log
from lamplighter_runtime.serving.readiness import Readiness, Verdict
from lamplighter_runtime.serving.torchserve_api import Unavailable
from lamplighter_runtime.serving.torchserve_log import Kind
from lamplighter_runtime.serving.warmup import WarmUp

PROGRAM = "lamplighter-serve"
INVALID_ARCHIVE = 65
WORKER_FAILED = 68
SERVER_FAILED = 70  # EX_SOFTWARE of sysexits.h
POLL = 0.5  # seconds between two observations of the workers
SILENCE_TIMEOUT = 60.0  # seconds without an answer of the management API
TAIL_LINES = 20


def say(sentence: str) -> None:
    """Write a log line to standard error."""
    print(f"{PROGRAM}: {sentence}", file=sys.stderr, flush=True)


class Server:
    """One TorchServe process with one model."""

    def __init__(self, settings: torchserve_config.Settings, environ: Mapping[str, str]) -> None:
        """Read the archive; InvalidArchiveError when TorchServe could not load it."""
        manifest = mar.read_manifest(settings.archive)
        self._example = mar.read_example(settings.archive, manifest)
        self._version = mar.model_version(manifest)
        if self._example is not None and settings.warmup == 0:
            raise ConfigurationError(
                "spec.runtime.warmup is 0, but the model was packaged with an example: only an answer to it proves "
                "that the model predicts. Let warmup be 1 or more, or package without an example"
            )
        self._settings, self._environ = settings, environ
        self._finders: dict[str, TracebackFinder] = {}
        self._answered = 0
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._oom_kills = cgroup.oom_kills()
        start_timeout = integer(environ, "LAMPLIGHTER_START_TIMEOUT_S", 120, minimum=1)
        warmup = settings.warmup if self._example is not None else 0
        self.readiness = Readiness(settings.workers, warmup, start_timeout, SILENCE_TIMEOUT)
        at_a_time = min(settings.workers * settings.batch_size, settings.job_queue_size)
        self._warmup = WarmUp(self.readiness, self._predict, at_a_time, warmup)

    def start(self, scratch: Path) -> "subprocess.Popen[bytes]":
        """Start TorchServe with `scratch` as its only writable folder."""
        torchserve_config.prepare(self._settings, self._version, scratch)
        command = torchserve_config.command(self._settings, scratch, self._environ)
        environ = torchserve_config.worker_environment(self._settings, self._environ)
        process = subprocess.Popen(command, cwd=scratch, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.readiness.server_started(time.monotonic())
        self._output = LineFilter(process.stdout, sys.stdout.buffer, self._read)  # type: ignore[arg-type]
        self._output.start()
        return process

    def last_lines(self) -> list[str]:
        """Return the last lines of a TorchServe that has exited."""
        self._output.join(timeout=2)
        return list(self._tail)

    def _read(self, line: str) -> bool:
        parsed = torchserve_log.parse(line, self._settings.model)
        if parsed.kind is Kind.PREDICTION:
            self._answered += 1
        if parsed.kind is Kind.BATCH:
            self.readiness.batch_received(parsed.worker)
        if parsed.kind in {Kind.PREDICTION, Kind.ACCESS, Kind.BATCH}:
            return False
        self._tail.append(line)
        if parsed.kind is Kind.NOT_ANSWERED:
            self.readiness.not_answered(parsed.worker, time.monotonic())
        elif parsed.kind is Kind.LOAD_FAILED:
            self.readiness.load_failed(parsed.worker, time.monotonic())
        elif parsed.kind is Kind.MODEL:
            finder = self._finders.setdefault(parsed.worker, TracebackFinder(keep=1))
            if (raised := finder.feed(parsed.text)) and (error := torchserve_log.handler_error(raised)):
                self.readiness.handler_raised(parsed.worker, error, time.monotonic())
        return True

    def observe(self) -> None:
        """Observe the workers once, and begin the warm-up when they are ready for it."""
        try:
            state = torchserve_api.model_state(self._settings.model)
        except Unavailable:
            return  # starting or stuck: the time since the last answer decides
        kills = cgroup.oom_kills()
        self.readiness.workers_seen(state.ready, time.monotonic(), out_of_memory=kills > self._oom_kills)
        self._oom_kills = kills
        self._warmup.proceed()

    def _predict(self) -> str:
        example, timeout = self._example, self._settings.response_timeout_s + 5
        if example is None:
            return ""
        try:
            answer = torchserve_api.predict(self._settings.model, example.body, example.content_type, timeout)
        except Unavailable as error:
            return str(error)
        return "" if answer.status == 200 else torchserve_api.describe(answer)

    def busy(self) -> bool:
        """Return whether predictions are queued or running."""
        try:
            queued = torchserve_api.model_state(self._settings.model).queued
            return queued > 0 or torchserve_api.received() > self._answered
        except Unavailable:
            return self.readiness.was_ready  # it may be too busy to answer; if it never was ready, it has no requests


def drain(server: Server, process: "subprocess.Popen[bytes]", delay: float, deadline: float) -> None:
    """Wait until no request is left, for at least `delay` seconds; `deadline` is in monotonic seconds.

    For a few seconds after a pod starts to stop, clients still send: the endpoint's removal has to reach every node.
    """
    server.readiness.drain()
    time.sleep(delay)
    while process.poll() is None and server.busy() and time.monotonic() < deadline:
        time.sleep(0.1)


def run(environ: Mapping[str, str], stop: StopRequest, scratch: Path) -> int:
    """Serve until a stop signal (returns 0), or until TorchServe or the model's workers fail for good."""
    settings = torchserve_config.settings(environ, cgroup.usable_processors(), cgroup.memory_limit())
    delay = integer(environ, "LAMPLIGHTER_DRAIN_DELAY_S", 5)
    try:
        server = Server(settings, environ)
    except mar.InvalidArchiveError as error:
        return termination.fail(environ, PROGRAM, INVALID_ARCHIVE, "InvalidArchive", str(error))
    process = server.start(scratch)
    stop.notify(lambda _: server.readiness.drain())  # immediately, whatever this thread is doing
    probes.serve(server.readiness)
    terminal = watch(server, process, stop)
    if process.poll() is None:
        delay = delay if server.readiness.was_ready else 0
        drain(server, process, delay, time.monotonic() + delay + settings.response_timeout_s)
        _end(process)
    elif not stop():
        code = exit_status(process.returncode)
        sentence = f"TorchServe exited on its own with code {code}"
        return termination.fail(environ, PROGRAM, SERVER_FAILED, "ServerFailed", sentence, server.last_lines())
    if terminal is not None and not stop():
        return termination.fail(environ, PROGRAM, WORKER_FAILED, terminal.reason, terminal.message, server.last_lines())
    say("stopped")
    return 0


def watch(server: Server, process: "subprocess.Popen[bytes]", stop: StopRequest) -> Verdict | None:
    """Observe the server until it exits, is asked to stop, or has failed for good (the returned verdict says why)."""
    before = False
    while process.poll() is None and not stop():
        server.observe()
        verdict = server.readiness.verdict()
        if verdict.ready != before:
            before = verdict.ready
            say(f"{verdict.reason}: {verdict.message}")
        if terminal := server.readiness.terminal_verdict(time.monotonic()):
            say(f"{terminal.reason}: {terminal.message}; accepting no new requests")
            return terminal
        time.sleep(POLL)
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


def main() -> int:
    """Entry point of the console script."""
    stop = StopRequest()
    stop.listen()
    try:
        with tempfile.TemporaryDirectory(prefix="torchserve-", ignore_cleanup_errors=True) as scratch:
            return run(os.environ, stop, Path(scratch))
    except ConfigurationError as error:
        return termination.fail(os.environ, PROGRAM, CONFIGURATION_ERROR, "ConfigurationError", str(error))
