"""Metrics are read from printed lines, and travel as JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common import metrics_text


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("step=10 loss=0.3 total=100", {"step": 10, "loss": 0.3, "total": 100}),
        ("epoch 3: train/loss=1e-3, val/acc = .5", {"train/loss": 0.001, "val/acc": 0.5}),
        ("[rate=-2.5e+4] (n=7)", {"rate": -25000, "n": 7}),
        ("loss=inf", {"loss": math.inf}),
        ("loss=0.3.1 url=http://a?b=1 x=1px version=2024-01-01", {}),
        ("no numbers here, a == b, 1=2", {}),
        ("", {}),
    ],
)
def test_numbers_with_a_name_are_found(line: str, found: dict[str, float]):
    assert metrics_text.pairs(line) == found


def test_not_a_number_is_a_number_too():
    assert math.isnan(metrics_text.pairs("loss=nan")["loss"])


@given(st.dictionaries(st.from_regex(metrics_text.NAME, fullmatch=True), st.floats(), max_size=5))
def test_every_metric_has_a_json_form(metrics: dict[str, float]):
    text = json.dumps(metrics_text.encoded(metrics), allow_nan=False)
    back = {name: float(value) for name, value in json.loads(text).items()}
    assert back == pytest.approx(metrics, nan_ok=True)


@given(st.text())
def test_any_line_can_be_read(line: str):
    for name in metrics_text.pairs(line):
        assert metrics_text.NAME.fullmatch(name)


def test_metrics_beyond_the_limit_are_left_out_and_known_ones_renewed():
    full = {f"m{number}": 0.0 for number in range(metrics_text.LIMIT)}
    assert metrics_text.merged(full, [("new", 1.0), ("m0", 2.0)]) == {**full, "m0": 2.0}
