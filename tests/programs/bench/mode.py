"""One mode of the benchmark: a fresh cluster, a fresh operator, all measurements with trainings of one sort."""

import functools
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import tools
from tests.programs.bench import cluster, figures, measure, objects, process, progress, restarts
from tests.programs.bench.operator_process import QUIET_S, Operator
from tests.programs.bench.sightings import Sightings

PARTS = (
    "training_latency_ms",
    "training_burst",
    "operator",
    "requests_per_training",
    "writes_until_running",
    "default_claim",
    "progress",
    "restart_s",
)
WITH_PODS = ("default_claim", "progress", "restart_s")
"""Not measured with suspended trainings."""


@dataclass(frozen=True)
class Sizes:
    """How many trainings each measurement takes."""

    singles: int = 30
    bursts: tuple[int, ...] = (200, 1000)
    held: int = 10
    default_claim: int = 200
    reporting: int = 500
    reporting_s: float = 30.0
    gangs: tuple[int, ...] = (2, 32, 256)
    restarts: int = 5
    finished: tuple[int, ...] = (100, 1000, 10_000)
    deployments: tuple[int, int] = (1000, 200)
    requests: int = 20_000


QUICK = Sizes(
    singles=5,
    bursts=(20, 60),
    held=3,
    default_claim=20,
    reporting=20,
    reporting_s=5.0,
    gangs=(2, 8),
    restarts=2,
    finished=(10, 50, 200),
    deployments=(20, 5),
    requests=300,
)


@dataclass
class Mode:
    """Measures ``parts`` with trainings that run to their end on fake nodes, or with suspended ones."""

    here: cluster.Cluster
    sizes: Sizes
    parts: Collection[str]
    suspend: bool
    profile: Path | None = None
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return "suspended" if self.suspend else "running"

    def run(self) -> dict[str, Any]:
        """All figures of this mode."""
        log = tools.STATE / f"bench-{self.name}.log"
        with Operator(self.here.kubeconfig, log, self.profile) as operator:
            time.sleep(1)  # the watches open
            idle = operator.rss_mib()
            if "training_latency_ms" in self.parts:
                self._latency(operator)
            for size in self._bursts():
                self._burst(operator, size, idle)
            if "writes_until_running" in self.parts:
                self._until_running(operator)
            if "default_claim" in self.parts and not self.suspend:
                self._default_claim(operator)
            if "progress" in self.parts and not self.suspend:
                self._progress(operator)
            if "restart_s" in self.parts and not self.suspend:
                self._restarts(operator)
        self.result["aims"] = figures.judge(self.result, figures.SUSPENDED_AIMS if self.suspend else figures.AIMS)
        wanted = {*self.parts, "aims", "ratios", "linearity", "others", "noise"}
        return {
            key: value for key, value in self.result.items() if key in wanted or key.startswith(("raw_", "restart_"))
        }

    @property
    def _end(self) -> str:
        return "Suspended" if self.suspend else "Succeeded"

    def _bursts(self) -> tuple[int, ...]:
        if "training_burst" in self.parts:
            return self.sizes.bursts
        largest = {"operator", "requests_per_training"} & set(self.parts)
        return self.sizes.bursts[-1:] if largest else ()

    def _ratios(self) -> dict[str, Any]:
        ratios: dict[str, Any] = self.result.setdefault("ratios", {})
        return ratios

    def _latency(self, operator: Operator) -> None:
        _say(f"{self.name}: {self.sizes.singles} single trainings")
        with measure.jobs_ground(self.here.server) as ground:
            body = functools.partial(objects.bare_job, suspend=self.suspend)
            raw = figures.percentiles(measure.accept_ms(ground, body, self.sizes.singles))
        with measure.trainings_ground(self.here.server, self._end, operator.alive) as ground:
            training = functools.partial(objects.training, suspend=self.suspend)
            ours = figures.percentiles(measure.latencies_ms(ground, training, self.sizes.singles))
        self.result |= {"training_latency_ms": ours, "raw_create_ms": raw}
        self._ratios()["latency_vs_raw"] = figures.ratio(ours["p50"], raw["p50"])

    def _burst(self, operator: Operator, size: int, idle: float) -> None:
        _say(f"{self.name}: a burst of {size}")
        raw, raw_cpu = self._raw_burst(size)
        with measure.trainings_ground(self.here.server, self._end, operator.alive) as ground:
            requests, before = operator.quiet(), self._usage(operator)
            ours = measure.burst(ground, functools.partial(objects.training, suspend=self.suspend), size)
            made, after = figures.per_object(requests, operator.quiet(), size), self._usage(operator)
            rss = operator.rss_mib()
        cpu = process.cpu_ms(before, after, size)
        self.result |= {  # the last burst, which is the largest, stays
            "operator": {
                "rss_idle_mib": figures.rounded(idle),
                "rss_mib": figures.rounded(rss),
                "cpu_ms_per_training": cpu.pop("operator"),
            },
            "requests_per_training": figures.by_verb(made) | {"by_resource": made},
            "others": {"cpu_ms_per_training": cpu, "cpu_ms_per_raw_job": raw_cpu},
            "noise": process.noise(before, after),
        }
        for key, burst in (("training_burst", ours), ("raw_burst", raw)):
            self.result.setdefault(key, {})[str(size)] = burst
        self._ratios().setdefault("burst_vs_raw", {})[str(size)] = figures.ratio(ours["jobs_s"], raw["jobs_s"])
        linearity = figures.linearity(self.result["training_burst"])
        self.result |= {} if linearity is None else {"linearity": linearity}

    def _raw_burst(self, size: int) -> tuple[measure.Burst, dict[str, float]]:
        """Bare Jobs, for which the operator does nothing; and the CPU of each."""
        body = functools.partial(objects.bare_job, suspend=self.suspend)
        with measure.jobs_ground(self.here.server) as ground:
            before = self._usage()
            burst = measure.burst(ground, body, size, wait=not self.suspend)
            time.sleep(QUIET_S)
            return burst, process.cpu_ms(before, self._usage(), size)

    def _usage(self, operator: Operator | None = None) -> process.Usage:
        pids = {**self.here.components, "bench": os.getpid()}
        if operator is not None:
            pids["operator"] = operator.pid
        return process.usage(pids, time.perf_counter())

    def _until_running(self, operator: Operator) -> None:
        """Writes of trainings whose pods run and do not end, so that no later write is counted."""
        size = self.sizes.held
        _say(f"{self.name}: writes of {size} trainings until their Jobs run")
        end = self._end if self.suspend else "Running"
        body = functools.partial(objects.training, suspend=self.suspend, hold=True)
        with measure.trainings_ground(self.here.server, end, operator.alive) as ground:
            requests = operator.quiet()
            measure.burst(ground, body, size)
            made = figures.per_object(requests, operator.quiet(), size)
        self.result["writes_until_running"] = figures.writes(made)

    def _default_claim(self, operator: Operator) -> None:
        """As users begin: each training has a claim of its own made and bound."""
        size = self.sizes.default_claim
        _say(f"{self.name}: a burst of {size} with a claim each")
        body = functools.partial(objects.training, suspend=self.suspend, claim=None)
        with measure.trainings_ground(self.here.server, self._end, operator.alive) as ground:
            requests = operator.quiet()
            burst = measure.burst(ground, body, size)
            made = figures.by_verb(figures.per_object(requests, operator.quiet(), size))
        self.result["default_claim"] = {"training_burst": {str(size): burst}, "requests_per_training": made}

    def _progress(self, operator: Operator) -> None:
        """Trainings that run and all report as often as they may."""
        size, seconds = self.sizes.reporting, self.sizes.reporting_s
        _say(f"{self.name}: {size} trainings report for {seconds:.0f} s")
        body = functools.partial(objects.training, suspend=False, hold=True)
        with measure.trainings_ground(self.here.server, "Running", operator.alive) as ground:
            measure.burst(ground, body, size)
            reporting = progress.pods(self.here.server, ground.namespace)
            written = operator.quiet()
            reports = progress.report(reporting, operator.progress_port, seconds)
            made = figures.per_object(written, operator.requests(), 1)
        self.result["progress"] = reports.figures(made.get("update modeltrainings", 0.0))

    def _restarts(self, operator: Operator) -> None:
        """Gangs of which one pod fails."""
        until_pods: dict[str, float] = {}
        until_job: dict[str, float] = {}
        self.result |= {"restart_s": until_pods, "restart_until_job_s": until_job}
        with measure.trainings_ground(self.here.server, "Running", operator.alive) as ground:
            jobs = Sightings("with a second Job", restarts.second_jobs, operator.alive)
            pods = Sightings("in a second attempt", restarts.second_pods, operator.alive)
            watch = self.here.server.watch
            with watch("Job", ground.namespace, jobs), watch("Pod", ground.namespace, pods):
                for size in self.sizes.gangs:
                    _say(f"{self.name}: {self.sizes.restarts} gangs of {size} start again")
                    took = restarts.restart_s(ground, jobs, pods, size, self.sizes.restarts)
                    until_job[str(size)], until_pods[str(size)] = took


def _say(what: str) -> None:
    print(f"{what} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
