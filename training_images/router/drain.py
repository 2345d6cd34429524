#!/usr/bin/env python3
"""lamplighter-router-drain: what a router's pod does before it is stopped, so that no request is lost.

First nobody new: readiness fails, and every answer asks its client for another connection, while requests are still
taken from those who have not heard of it. Then the ports are closed, and what is in flight is waited for.
The standard library only; Envoy itself needs no Python.

LAMPLIGHTER_DRAIN_DELAY_S   until the ports are closed: as long as endpoints take to reach every node (5)
LAMPLIGHTER_DRAIN_LIMIT_S   the longest wait for requests in flight (60)
LAMPLIGHTER_ADMIN           Envoy's admin port (127.0.0.1:9901)
"""

import http.client
import json
import os
import sys
import time

_POLL = 0.1
_QUIET = 3
"""Looks in a row that must see nothing in flight: a connection may be between two requests."""


def ask(method: str, path: str) -> bytes:
    """What the admin port answers.

    Raises:
        OSError: it cannot be reached.
        http.client.HTTPException: it does not speak HTTP, or refuses.
    """
    connection = http.client.HTTPConnection(os.environ.get("LAMPLIGHTER_ADMIN", "127.0.0.1:9901"), timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise http.client.HTTPException(f"{method} {path} was answered {response.status}")
    return body


def active() -> int:
    """Requests in flight, on all ports that take any."""
    stats = json.loads(ask("GET", "/stats?format=json&filter=downstream_rq_active$"))["stats"]
    return sum(entry["value"] for entry in stats if entry["name"].startswith(("http.public.", "http.preview.")))


def wait_until_idle(limit: float) -> bool:
    """True when nothing was in flight any more before ``limit`` seconds were over."""
    end, quiet = time.monotonic() + limit, 0
    while quiet < _QUIET:
        if time.monotonic() > end:
            return False
        quiet = quiet + 1 if active() == 0 else 0
        time.sleep(_POLL)
    return True


def main() -> int:
    """Drain, and tell in the exit code whether everything was answered: 0, or 1."""
    try:
        ask("POST", "/healthcheck/fail")
        time.sleep(float(os.environ.get("LAMPLIGHTER_DRAIN_DELAY_S", "5")))
        ask("POST", "/drain_listeners?inboundonly")
        return 0 if wait_until_idle(float(os.environ.get("LAMPLIGHTER_DRAIN_LIMIT_S", "60"))) else 1
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"Envoy's admin port: {error}. There is nothing to drain, or nobody to tell\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
