"""Waiting for a peer: a headless Service's records come seconds after its pods, and a pod may come minutes later."""

import socket
import time
from collections.abc import Callable


def wait_for_name(
    host: str,
    timeout: float,
    stopped: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Return True once `host` resolves; False after `timeout` seconds, or as soon as `stopped` says so.

    Tries grow from 0.1 to 2 seconds apart; `report` gets a sentence every 15 seconds of waiting.
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
    """Return True once somebody listens at `host`:`port`; otherwise as wait_for_name."""

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
    told, delay = started, 0.1
    while not stopped():
        try:
            attempt()
        except OSError as error:
            now = time.monotonic()
            if now - started >= timeout:
                return False
            if now - told >= 15:
                told = now
                report(f"waiting for {what} for {now - started:.0f} s ({error})")
            pause(delay)
            delay = min(delay * 1.5, 2.0)
        else:
            return True
    return False
