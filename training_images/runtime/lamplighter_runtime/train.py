"""lamplighter-train: start torchrun, pass its output through, and say in the end what happened.

Usage: lamplighter-train [torchrun options] script.py [arguments]; torchrun's PET_* variables give the topology.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamplighter_runtime import dns, memory, termination, torchrun
from lamplighter_runtime.child import StopRequest, exit_status, send, signal_name
from lamplighter_runtime.environment import CONFIGURATION_ERROR, ConfigurationError, number
from lamplighter_runtime.stream import Tee

MASTER_UNREACHABLE = 69  # EX_UNAVAILABLE of sysexits.h
PROGRAM = "lamplighter-train"


def say(sentence: str) -> None:
    """Write a line of the launcher's own to standard error."""
    print(f"{PROGRAM}: {sentence}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Ending:
    """How a training ended other than well."""

    code: int
    reason: str
    sentence: str
    tail: Sequence[str] = ()


def run(arguments: Sequence[str], environ: Mapping[str, str], stop: StopRequest) -> int:
    """Train: wait for the master's name, run torchrun, write the termination message; return the exit code."""
    ending = _wait_for_master(environ, stop) or _train(arguments, environ, stop)
    if ending is None:
        termination.write(termination.render("Succeeded"), environ)
        return 0
    return termination.fail(environ, PROGRAM, ending.code, ending.reason, ending.sentence, ending.tail)


def _wait_for_master(environ: Mapping[str, str], stop: StopRequest) -> Ending | None:
    host = torchrun.multi_node_master(environ)
    timeout = number(environ, "LAMPLIGHTER_DNS_TIMEOUT_S", 600)
    if host is None or dns.wait_for_name(host, timeout, stop, say):
        return None
    if stop.signal is not None:
        return Ending(128 + stop.signal, "Terminated", f"stopped while waiting for {host} to resolve")
    sentence = f"the master's name {host} did not resolve within {timeout} s: check the cluster's DNS"
    return Ending(MASTER_UNREACHABLE, "MasterUnreachable", sentence)


def _train(arguments: Sequence[str], environ: Mapping[str, str], stop: StopRequest) -> Ending | None:
    failure = torchrun.FailureReader()
    kills_before = memory.oom_kills()
    with tempfile.TemporaryDirectory(prefix="lamplighter-") as scratch:
        error_file = Path(scratch) / "error.json"
        code = _run_torchrun(arguments, {**environ, torchrun.ERROR_FILE_VARIABLE: str(error_file)}, failure, stop)
        recorded = torchrun.recorded_error(error_file)
    if code == 0:
        return None
    if stop.signal is not None:
        return Ending(128 + stop.signal, "Terminated", f"stopped by {signal_name(stop.signal)}")
    # The rank's own code tells more than torchrun's, which is always 1.
    rank_code = failure.exit_code if failure.exit_code is not None else code
    if rank_code == -signal.SIGKILL and memory.oom_kills() > kills_before:
        sentence = "a rank was killed for want of memory: raise spec.resources, or use smaller batches"
        return Ending(exit_status(rank_code), "OOMKilled", sentence, failure.tail)
    sentence = recorded or failure.cause or _unexplained(rank_code, failure.tail)
    reason = "PeerLost" if torchrun.tells_of_lost_peer(sentence) else "UserError"
    return Ending(exit_status(rank_code), reason, sentence, failure.tail)


def _run_torchrun(
    arguments: Sequence[str], environ: Mapping[str, str], failure: torchrun.FailureReader, stop: StopRequest
) -> int:
    # Standard output is inherited: it never passes through this process.
    process = subprocess.Popen(torchrun.command(arguments), env=environ, stderr=subprocess.PIPE)
    stop.notify(lambda signal_number: send(process, signal_number))
    tee = Tee(process.stderr, sys.stderr.buffer, failure.feed)  # type: ignore[arg-type]
    tee.start()
    code = process.wait()
    # A grandchild that outlives torchrun may hold the pipe open; what it still writes is not worth waiting for.
    tee.join(timeout=5)
    return code


def _unexplained(code: int, tail: Sequence[str]) -> str:
    if code < 0:
        return f"a rank was ended by {signal_name(-code)}"
    return tail[-1] if tail else f"the script exited with code {code} and wrote nothing to standard error"


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
