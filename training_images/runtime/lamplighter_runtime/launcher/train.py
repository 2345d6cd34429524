"""lamplighter-train: run torchrun, pass its output through, and report how the training ended.

Usage: lamplighter-train [torchrun options] script.py [arguments]; torchrun's PET_* variables give the topology.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamplighter_runtime.checkpoint import selection
from lamplighter_runtime.common import cgroup, termination
from lamplighter_runtime.common.environment import CONFIGURATION_ERROR, ConfigurationError, integer
from lamplighter_runtime.common.signals import StopRequest, exit_status, signal_name
from lamplighter_runtime.launcher import rendezvous, torchrun
from lamplighter_runtime.launcher.failure import Cause
from lamplighter_runtime.launcher.log import PROGRAM, say
from lamplighter_runtime.launcher.rendezvous import Rendezvous
from lamplighter_runtime.launcher.supervisor import Supervisor

MASTER_UNREACHABLE = 69  # EX_UNAVAILABLE of sysexits.h
HANG = 75  # EX_TEMPFAIL of sysexits.h
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Ending:
    """How a training ended that did not succeed."""

    code: int
    reason: str
    sentence: str
    tail: Sequence[str] = ()
    rank: int | None = None


def run(arguments: Sequence[str], environ: Mapping[str, str], stop: StopRequest) -> int:
    """Wait for the first pod, choose the checkpoint, run torchrun, report how it ended; return the exit code."""
    place = rendezvous.configured(environ)
    timeout = integer(environ, "LAMPLIGHTER_RENDEZVOUS_TIMEOUT_S", 3600, minimum=1)
    ending = None if place is None else _wait_for(place, environ, timeout, stop)
    facts: dict[str, Any] = {}
    if ending is None:
        options = rendezvous.options(environ, place, timeout)
        ending, facts = _train(arguments, {**environ, **options, **_resume(environ)}, stop)
    if ending is None:
        termination.write(termination.render("Succeeded", **facts), environ)
        return 0
    if ending.rank is not None:
        facts = {"rank": ending.rank, **facts}
    return termination.fail(environ, PROGRAM, ending.code, ending.reason, ending.sentence, ending.tail, **facts)


def _wait_for(place: Rendezvous, environ: Mapping[str, str], timeout: int, stop: StopRequest) -> Ending | None:
    """Wait for the first pod: for its name, and for its store where torchrun itself would wait only a minute."""
    dns_timeout = integer(environ, "LAMPLIGHTER_DNS_TIMEOUT_S", 600)
    sentence = f"the master's name {place.host} did not resolve within {dns_timeout} s: check the cluster's DNS"
    met = rendezvous.wait_for_name(place.host, dns_timeout, stop, say)
    if met and place.elastic and not place.first:
        sentence = f"the first pod did not answer at {place.host}:{place.port} within {timeout} s: check that pod"
        met = rendezvous.wait_for_port(place.host, place.port, timeout, stop, say)
    if met:
        return None
    if stop.signal is not None:
        return Ending(128 + stop.signal, "Terminated", f"stopped while waiting for {place.host}")
    return Ending(MASTER_UNREACHABLE, "MasterUnreachable", sentence)


def _resume(environ: Mapping[str, str]) -> dict[str, str]:
    chosen = selection.variables(environ, say)
    if folder := chosen.get(selection.RESUME_VARIABLE):
        say(f"resuming from {folder}")
    return chosen


def _train(
    arguments: Sequence[str], environ: Mapping[str, str], stop: StopRequest
) -> tuple[Ending | None, dict[str, Any]]:
    kills_before = cgroup.oom_kills()
    with tempfile.TemporaryDirectory(prefix="lamplighter-") as scratch:
        supervisor = Supervisor(environ, Path(scratch), stop)
        code = supervisor.run(arguments)
        recorded = torchrun.recorded_error(Path(scratch) / "error.json")
        ending = _ending(code, supervisor, stop, recorded, cgroup.oom_kills() > kills_before)
        supervisor.report_end()
    return ending, supervisor.progress.facts()


def _ending(
    code: int, supervisor: Supervisor, stop: StopRequest, recorded: str | None, out_of_memory: bool
) -> Ending | None:
    # A stopped training has not finished, even if the script exits with 0: the Job must not count it as complete.
    if stop.signal is not None:
        return Ending(128 + stop.signal, "Terminated", f"stopped by {signal_name(stop.signal)}")
    if supervisor.hang is not None and supervisor.hang.sentence is not None:
        hung = supervisor.hang
        tail = () if hung.rank is None else supervisor.outputs.of(hung.rank).cause(hung.rank, 0).tail
        return Ending(HANG, "Hang", hung.sentence or "", tail, hung.rank)
    if supervisor.progress.stopping:
        return Ending(
            TERMINATED,
            "Terminated",
            "all ranks stopped because one of them, perhaps in another pod, received a stop signal",
        )
    if code == 0:
        return None
    # The rank's own code tells more than torchrun's, which is always 1.
    cause = supervisor.refused or supervisor.outputs.cause(code)
    return _failure(cause, recorded, out_of_memory)


def _failure(cause: Cause, recorded: str | None, out_of_memory: bool) -> Ending:
    code = exit_status(cause.code)
    if cause.code == -signal.SIGKILL and out_of_memory:
        sentence = "the kernel killed a rank for lack of memory: raise spec.resources, or use smaller batches"
        return Ending(code, "OOMKilled", sentence, cause.tail, cause.rank)
    if recorded and not cause.peer_lost:
        cause = Cause(recorded, cause.code, cause.rank, cause.tail)
    if cause.rank is None and torchrun.is_rendezvous_failure(cause.sentence):
        return Ending(MASTER_UNREACHABLE, "MasterUnreachable", cause.sentence, cause.tail)
    if cause.hung:
        return Ending(HANG, "Hang", cause.sentence, cause.tail, cause.rank)
    reason = "PeerLost" if cause.peer_lost else "GPUFailed" if cause.gpu_failed else "UserError"
    return Ending(code, reason, cause.sentence, cause.tail, cause.rank)


def main() -> int:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments else 2
    stop = StopRequest()
    stop.listen()
    try:
        return run(arguments, os.environ, stop)
    except ConfigurationError as error:
        return termination.fail(os.environ, PROGRAM, CONFIGURATION_ERROR, "ConfigurationError", str(error))
