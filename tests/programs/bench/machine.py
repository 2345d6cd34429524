"""On what the figures were measured."""

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from tests import tools
from tests.programs.bench.figures import rounded
from tests.programs.bench.server import Server

_PACKAGES = ("kopf", "aiohttp", "pydantic", "uvloop")


def describe() -> dict[str, Any]:
    """Cores, CPU, how busy it is already, and the CPU time of a fixed piece of Python: a yardstick between machines."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu_model": models[0].partition(":")[2].strip() if models else platform.machine(),
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "python_loop_ms": rounded(_python_loop_ms()),
    }


def versions(server: Server) -> dict[str, str]:
    """What was measured, and what it stands on."""
    found = {package: importlib.metadata.version(package) for package in _PACKAGES}
    kubernetes = str(server.call("GET", "/version")["gitVersion"])
    return {"commit": _commit(), "kubernetes": kubernetes, "python": platform.python_version(), **found}


def _commit() -> str:
    """The commit; ``+`` means that there are changes that are not in it."""
    command = ["git", "-C", str(tools.ROOT), "describe", "--always", "--dirty=+"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def _python_loop_ms() -> float:
    """Median CPU milliseconds of 200,000 rounds of a loop."""
    took = []
    for _ in range(5):
        begun, total = time.process_time(), 0
        for number in range(200_000):
            total += number & 7
        took.append((time.process_time() - begun) * 1000)
    return sorted(took)[2]
