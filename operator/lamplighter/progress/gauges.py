"""GET /metrics/trainings: the trainings that report now, for Prometheus. Only here are object names labels."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lamplighter.api.training import FINAL_STATES
from lamplighter.core.objects import moment
from lamplighter.core.report import ProgressReport
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.engine.reconcile import utc_now

TRAININGS = 1000
"""The first trainings that started to report are shown, at most this many."""

REPORTING = ("lamplighter_trainings_reporting", "Trainings that report; the first 1000 of them have the metrics below.")
NUMBERS = {
    "step": ("lamplighter_training_step", "Optimizer steps done."),
    "total": ("lamplighter_training_steps_total", "Optimizer steps wanted."),
    "samples_per_second": ("lamplighter_training_samples_per_second", "Throughput over all ranks."),
}
AGE = ("lamplighter_training_heartbeat_age_seconds", "Time since the last sign of life.")
METRIC = ("lamplighter_training_metric", "A metric that the training reports.")
"""Name and help text of each metric."""


class TrainingGauges(Collector):
    """Collected from the index at each scrape."""

    def __init__(self, index: Index, clock: Callable[[], datetime] = utc_now) -> None:
        self._index = index
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families with their samples."""
        current = [(key, report) for key, report in self._index.reports() if self._is_current(key, report)]
        now = self._clock()
        yield GaugeMetricFamily(*REPORTING, value=len(current))
        families = {field: GaugeMetricFamily(*of, labels=["namespace", "name"]) for field, of in NUMBERS.items()}
        age = GaugeMetricFamily(*AGE, labels=["namespace", "name"])
        metric = GaugeMetricFamily(*METRIC, labels=["namespace", "name", "metric"])
        for key, report in current[:TRAININGS]:
            whose = [key.namespace, key.name]
            for field, family in families.items():
                if (value := getattr(report.measured, field)) is not None:
                    family.add_metric(whose, float(value))
            alive = report.measured.heartbeat or report.received
            age.add_metric(whose, max((now - moment(alive)).total_seconds(), 0.0))
            for name, value in report.measured.metrics.items():
                metric.add_metric([*whose, name], float(value))
        yield from (*families.values(), age, metric)

    def _is_current(self, key: Key, report: ProgressReport) -> bool:
        run = (self._index.get(key) or {}).get("status", {}).get("run") or {}
        current = (run.get("number"), run.get("stage"), run.get("attempt"))
        return current == report.place and run.get("state") not in FINAL_STATES


async def page(index: Index) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(TrainingGauges(index))
    return await asyncio.to_thread(generate_latest, registry)
