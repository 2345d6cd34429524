"""Waiting for a name to resolve: a headless Service's records come seconds after its pods."""

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
    started = time.monotonic()
    told, delay = started, 0.1
    while not stopped():
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            now = time.monotonic()
            if now - started >= timeout:
                return False
            if now - told >= 15:
                told = now
                report(f"waiting for {host} to resolve for {now - started:.0f} s ({error})")
            pause(delay)
            delay = min(delay * 1.5, 2.0)
        else:
            return True
    return False
