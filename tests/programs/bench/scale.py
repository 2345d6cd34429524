"""How the operator's start grows with the number of finished trainings."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import tools
from tests.programs.bench import cluster, figures, finished, measure, process
from tests.programs.bench.operator_process import Operator

IDLE_S = 600.0


def scale(here: cluster.Cluster, sizes: Sequence[int], profile: Path | None = None) -> dict[str, Any]:
    """For each number of trainings: seconds from its start until the operator is idle, CPU, writes, memory.

    ``growth`` is that of the seconds: see :func:`tests.programs.bench.figures.growth`.
    """
    log, result, there = tools.STATE / "bench-scale.log", {}, 1
    with (
        Operator(here.kubeconfig, log) as operator,
        measure.trainings_ground(here.server, "Succeeded", operator.alive, clear_up=False) as ground,
    ):
        template = finished.template(ground)
    for size in sizes:
        _say(f"{size} finished trainings are written")
        template.write([f"finished-{number}" for number in range(there, size)])
        there = size
        _say(f"an operator starts with {size} finished trainings")
        result[str(size)] = _start(here, log, size, profile)
    growth = figures.growth({size: result[str(size)]["sync_s"] for size in sizes})
    return result if growth is None else result | {"growth": growth}


def _start(here: cluster.Cluster, log: Path, size: int, profile: Path | None) -> dict[str, float]:
    begun = time.perf_counter()
    with Operator(here.kubeconfig, log, profile) as operator:
        idle_at, writes = operator.idle(size, IDLE_S)
        return {
            "sync_s": figures.rounded(idle_at - begun),
            "cpu_s": figures.rounded(process.cpu_s(operator.pid)),
            "rss_mib": figures.rounded(operator.rss_mib()),
            "peak_mib": figures.rounded(process.peak_mib(operator.pid)),
            "writes": writes,
        }


def _say(what: str) -> None:
    print(f"{what} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
