"""The supervisor of torchrun and its ranks: it reads their output and events, and stops them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamplighter_runtime.common import event_socket
from lamplighter_runtime.common.environment import integer
from lamplighter_runtime.common.event_socket import Event
from lamplighter_runtime.common.signals import StopRequest
from lamplighter_runtime.common.stream import Sink, Tee
from lamplighter_runtime.launcher import failure, logs_specs, processes, torchrun
from lamplighter_runtime.launcher.hang import Watchdog
from lamplighter_runtime.launcher.log import say
from lamplighter_runtime.launcher.progress import Progress
from lamplighter_runtime.launcher.rank_log import RankLogs
from lamplighter_runtime.launcher.reporter import Reporter

OUTPUT_DELAY = 0.5  # seconds until the output of a failed rank has arrived
EXIT_TIMEOUT = 10.0  # seconds that torchrun has to exit once its ranks have exited
RESERVE = 3.0  # seconds of the grace period that are kept for the termination message and the last report


class Supervisor:
    """One torchrun, from its start to its end."""

    def __init__(self, environ: Mapping[str, str], scratch: Path, stop: StopRequest) -> None:
        """`scratch` is an empty folder; ConfigurationError for a variable that is not a number."""
        self.progress = Progress()
        self.outputs = failure.Outputs()
        self.refused: failure.Cause | None = None  # the user's error that an elastic torchrun would only have repeated
        self.hang: Watchdog | None = None
        self._environ, self._stop = environ, stop
        self._scratch = scratch
        self._grace = integer(environ, "LAMPLIGHTER_GRACE_S", 0)
        self._hang_timeout = integer(environ, "LAMPLIGHTER_HANG_TIMEOUT_S", 0)
        self._reads_metrics = environ.get("LAMPLIGHTER_METRICS_FROM_OUTPUT") == "1"
        self._elastic = environ.get("LAMPLIGHTER_ELASTIC") == "1"
        self._out, self._err = Sink(sys.stdout.buffer), Sink(sys.stderr.buffer)
        folder = environ.get("LAMPLIGHTER_LOG_DIR")
        self._logs = RankLogs(Path(folder), say) if folder else None
        self._tees: list[Tee] = []
        self._ranks: list[int] = []
        self._stopping = threading.Lock()
        self._reporter = Reporter(environ, self.progress.report, say)

    def run(self, arguments: Sequence[str]) -> int:
        """Run torchrun with these arguments and return its exit code, negative for a signal."""
        receiver = self._receiver()
        plugin = logs_specs.NAME if receiver is not None and torchrun.takes_plugin(logs_specs.NAME) else None
        command = torchrun.command(arguments, plugin)
        self._process = subprocess.Popen(
            command, env=self._environment(receiver), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._copy_own(plugin is None)
        if self._logs is not None:
            self._logs.start()
        if self._reporter.wanted:
            self._reporter.start()
        if self._hang_timeout:
            self.hang = Watchdog(
                self._hang_timeout, self.progress, self._process.pid, lambda: self._stop.signal is not None
            )
            self.hang.start()
        self._stop.notify(lambda number: self._begin_stop(signal.Signals(number)))
        code = self._process.wait()
        self._finish(receiver)
        return code

    def report_end(self) -> None:
        """Send the last report to the operator."""
        if self._reporter.wanted:
            self._reporter.close()

    def _receiver(self) -> event_socket.Receiver | None:
        try:
            receiver = event_socket.Receiver(self._scratch / "events", self._take)
        except OSError as error:
            say(f"cannot open the socket for the ranks' reports: {error}; training continues without them")
            return None
        receiver.start()
        return receiver

    def _environment(self, receiver: event_socket.Receiver | None) -> dict[str, str]:
        ours = {torchrun.ERROR_FILE_VARIABLE: str(self._scratch / "error.json")}
        if receiver is not None:
            ours |= {
                event_socket.PATH_VARIABLE: str(self._scratch / "events"),
                logs_specs.SCRATCH_VARIABLE: str(self._scratch),
            }
        return {**self._environ, **ours}

    def _copy_own(self, with_ranks: bool) -> None:
        """Copy torchrun's own output; `with_ranks`: without the plugin, the output of the ranks is part of it."""
        out, err = self._process.stdout, self._process.stderr
        if out is None or err is None:
            raise RuntimeError("torchrun was started without pipes")
        of_first = with_ranks and self._environ.get("PET_NODE_RANK", "0") == "0"
        self._add(
            Tee(os.dup(out.fileno()), self._out.write, lambda line: self._read_metrics(0, line) if of_first else None)
        )
        self._add(Tee(os.dup(err.fileno()), self._err.write, self._read_torchrun))
        out.close()
        err.close()

    def _add(self, tee: Tee) -> None:
        self._tees.append(tee)
        tee.start()

    def _take(self, event: Event, files: list[int]) -> None:
        kind = event.get("event")
        if kind == "start":
            self._ranks = list(event["ranks"])
            self.progress.begin()
            self.outputs.begin()
        elif kind == "stream" and len(files) == 1:
            self._add(self._of_rank(int(event["rank"]), event["stream"] == "stderr", files[0]))
        else:
            self.progress.take(event)
            if kind == "stop" and not self._elastic:
                self._begin_stop(None)

    def _of_rank(self, rank: int, errors: bool, source: int) -> Tee:
        sink, reader = self._err if errors else self._out, self.outputs.of(rank)

        def write(data: bytes) -> None:
            sink.write(data)
            if self._logs is not None:
                self._logs.write(rank, data)

        def observe(line: str) -> None:
            reader.feed(line, errors)
            if not errors:
                self._read_metrics(rank, line)

        return Tee(source, write, observe)

    def _read_metrics(self, rank: int, line: str) -> None:
        if self._reads_metrics:
            self.progress.take_line(rank, line)

    def _read_torchrun(self, line: str) -> None:
        failed = self.outputs.torchrun.feed(line)
        if failed is not None and self._elastic:
            judge = threading.Thread(
                target=self._judge, args=(failed, self.outputs.snapshot(), self._ranks), daemon=True
            )
            judge.start()

    def _judge(self, failed: torchrun.Failed, outputs: Mapping[int, failure.RankOutput], ranks: Sequence[int]) -> None:
        """Kill an elastic torchrun that would only repeat a user's error; let it restart after other failures."""
        # Suspended, so that it does not join the others' next round only to leave them waiting there.
        processes.send(self._process.pid, signal.SIGSTOP)
        try:
            time.sleep(OUTPUT_DELAY)
            rank = ranks[failed.local_rank] if failed.local_rank < len(ranks) else 0
            self.refused = failure.own_error(outputs, rank, failed.code)
        finally:  # whatever happens here, it must not stay suspended
            if self._stop.signal is None:
                processes.send(self._process.pid, signal.SIGCONT if self.refused is None else signal.SIGKILL)

    def _begin_stop(self, number: signal.Signals | None) -> None:
        """Begin a stop, once, in a thread of its own; None: the ranks stop on their own."""
        if self._stopping.acquire(blocking=False):
            if number is not None:
                with contextlib.suppress(OSError):
                    (self._scratch / f"events{event_socket.STOP_SUFFIX}").touch()
            threading.Thread(target=self._end, args=(number,), daemon=True, name="stop").start()

    def _end(self, number: signal.Signals | None) -> None:
        """Pass the stop signal on to the ranks alone, give them their grace period, then end torchrun.

        torchrun would signal whole process groups: a DataLoader's workers would die first, and the script would end
        with an exception before it can save.
        """
        deadline = time.monotonic() + max(1.0, self._grace - RESERVE) if self._grace else float("inf")
        signalled: set[int] = set()
        ranks = processes.ranks(self._process.pid)
        if not ranks and number is not None:
            self._process.send_signal(number)
            return
        if self._elastic:
            # The others form a new group as soon as these ranks exit; this node must not join it.
            processes.send(self._process.pid, signal.SIGSTOP)
        gone: float | None = None
        while self._process.poll() is None:
            ranks = processes.ranks(self._process.pid)
            for process in set(ranks.values()) - signalled if number is not None else ():
                processes.send(process, number)  # type: ignore[arg-type]
                signalled.add(process)
            now = time.monotonic()
            if now > deadline:
                say(f"the script did not end within its grace period of {self._grace} s; killing it")
                for process in ranks.values():
                    processes.send_group(process, signal.SIGKILL)
                deadline = float("inf")
            gone = None if ranks else gone or now
            if gone is not None and self._elastic:
                processes.send(self._process.pid, signal.SIGKILL)
                return
            if gone is not None and now - gone > EXIT_TIMEOUT:
                self._process.send_signal(signal.SIGTERM)
                return
            time.sleep(0.1)

    def _finish(self, receiver: event_socket.Receiver | None) -> None:
        if receiver is not None:
            receiver.close()
        if self.hang is not None:
            self.hang.close()
        # A grandchild that outlives torchrun may keep a pipe open; its output is not worth waiting for.
        deadline = time.monotonic() + 5
        for tee in self._tees:
            tee.join(timeout=max(0.0, deadline - time.monotonic()))
        if self._logs is not None:
            self._logs.close()
