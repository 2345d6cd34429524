"""What Prometheus reads of the trainings."""

import math

from prometheus_client.parser import text_string_to_metric_families
from tests.builders.objects import NOW, at, later
from tests.unit.progress.scenes import KEY, a_running_training

from lamplighter.core.report import Measured, ProgressReport
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.progress import gauges
from lamplighter.progress.gauges import TrainingGauges

REPORT = ProgressReport(
    1,
    "train",
    1,
    Measured(
        step=120,
        total=1000,
        metrics={"loss": 0.5, "grad": "nan", "lr": 1},
        samples_per_second=532.5,
        heartbeat=at(-30),
    ),
)
WHOSE = {"namespace": "team", "name": "digits"}


def samples(index: Index) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Labels and values by name."""
    collected = TrainingGauges(index, clock=lambda: NOW).collect()
    return {family.name: [(s.labels, s.value) for s in family.samples] for family in collected if family.samples}


def test_a_training_that_reports_is_told_with_all_that_it_said() -> None:
    index = Index()
    index.put(a_running_training().obj())
    index.note(KEY, REPORT)
    found = samples(index)
    metric = {labels.pop("metric"): value for labels, value in found.pop("lamplighter_training_metric")}
    assert (metric["loss"], metric["lr"], math.isnan(metric["grad"])) == (0.5, 1.0, True)
    assert found == {
        "lamplighter_trainings_reporting": [({}, 1)],
        "lamplighter_training_step": [(WHOSE, 120)],
        "lamplighter_training_steps_total": [(WHOSE, 1000)],
        "lamplighter_training_samples_per_second": [(WHOSE, 532.5)],
        "lamplighter_training_heartbeat_age_seconds": [(WHOSE, 30)],
    }


def test_what_was_not_said_is_not_told() -> None:
    index = Index()
    index.put(a_running_training().obj())
    index.note(KEY, ProgressReport(1, "train", 1, Measured(heartbeat=later(60).isoformat())))
    assert samples(index) == {
        "lamplighter_trainings_reporting": [({}, 1)],
        "lamplighter_training_heartbeat_age_seconds": [(WHOSE, 0)],
    }


def test_a_run_that_is_over_is_not_told() -> None:
    for training in (a_running_training(state="Succeeded"), a_running_training(attempt=2), a_running_training(run=2)):
        index = Index()
        index.put(training.obj())
        index.note(KEY, REPORT)
        assert samples(index) == {"lamplighter_trainings_reporting": [({}, 0)]}


def test_the_number_of_trainings_that_are_told_has_a_bound() -> None:
    index = Index()
    for number in range(gauges.TRAININGS + 5):
        index.put(a_running_training().meta(name=f"t{number}").obj())
        index.note(Key("ModelTraining", "team", f"t{number}"), REPORT)
    found = samples(index)
    assert found["lamplighter_trainings_reporting"] == [({}, gauges.TRAININGS + 5)]
    assert len(found["lamplighter_training_step"]) == gauges.TRAININGS


async def test_the_page_is_what_prometheus_reads() -> None:
    index = Index()
    index.put(a_running_training().obj())
    index.note(KEY, REPORT)
    families = text_string_to_metric_families((await gauges.page(index)).decode())
    assert {family.name: family.type for family in families}["lamplighter_training_step"] == "gauge"
