"""The rendezvous: where the nodes of a training meet, and the wait for the pod that hosts it.

A headless Service's records appear seconds after its pods, and a pod may come minutes after the others.
"""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rendezvous:
    """Where the nodes meet."""

    host: str
    port: int
    elastic: bool  # c10d: the first pod's store must answer before the others start
    first: bool  # whether this is the pod that hosts it


def configured(environ: Mapping[str, str]) -> Rendezvous | None:
    """Return the rendezvous that the environment configures, None for a single node."""
    if environ.get("PET_NNODES", "1") == "1" or environ.get("PET_STANDALONE"):
        return None
    first = (environ.get("PET_NODE_RANK") or environ.get("JOB_COMPLETION_INDEX") or "0") == "0"
    if environ.get("PET_RDZV_BACKEND") == "c10d":
        host, _, port = environ.get("PET_RDZV_ENDPOINT", "").rpartition(":")
        return Rendezvous(host, int(port), True, first) if host and port.isdigit() else None
    host = environ.get("PET_MASTER_ADDR", "")
    return Rendezvous(host, int(environ.get("PET_MASTER_PORT", "29500")), False, first) if host else None


def options(environ: Mapping[str, str], place: Rendezvous | None, timeout: int) -> dict[str, str]:
    """Return variables that make torchrun wait `timeout` seconds for slow peers; what is already set stays."""
    if place is None:
        return {}
    ours, variables = {"timeout": str(timeout)}, {}
    if place.elastic:
        # With a shared store, a surviving rank 0 does not publish its address to a newcomer (PyTorch 2.13): both wait.
        variables = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        # Left to torchrun, a first pod that cannot resolve its own name would believe that another pod hosts the store.
        ours = {"join_timeout": str(timeout), "is_host": "true" if place.first else "false"}
    text = environ.get("PET_RDZV_CONF", "")
    given = {pair.partition("=")[0].strip() for pair in text.split(",")}
    pairs = [*filter(None, [text]), *(f"{name}={value}" for name, value in ours.items() if name not in given)]
    return {"PET_RDZV_CONF": ",".join(pairs), **variables}


def wait_for_name(
    host: str,
    timeout: float,
    stopped: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Return True once `host` resolves; False after `timeout` seconds, or as soon as `stopped` returns True.

    Attempts are 0.1 seconds apart at first and 2 seconds later; `report` gets a sentence every 15 seconds.
    """

    def resolve() -> None:
        socket.getaddrinfo(host, None)

    return _wait(resolve, f"{host} to resolve", timeout, stopped, report, pause)


def wait_for_port(
    host: str,
    port: int,
    timeout: float,
    stopped: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Return True once `host`:`port` accepts connections; otherwise like wait_for_name."""

    def connect() -> None:
        socket.create_connection((host, port), timeout=5).close()

    return _wait(connect, f"{host}:{port} to answer", timeout, stopped, report, pause)


def _wait(
    attempt: Callable[[], None],
    what: str,
    timeout: float,
    stopped: Callable[[], bool],
    report: Callable[[str], None],
    pause: Callable[[float], None],
) -> bool:
    started = time.monotonic()
    reported, delay = started, 0.1
    while not stopped():
        try:
            attempt()
        except OSError as error:
            now = time.monotonic()
            if now - started >= timeout:
                return False
            if now - reported >= 15:
                reported = now
                report(f"still waiting for {what} after {now - started:.0f} s ({error})")
            pause(delay)
            delay = min(delay * 1.5, 2.0)
        else:
            return True
    return False
