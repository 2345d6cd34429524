"""What TorchServe answers is understood."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.serving import torchserve_api
from lamplighter_runtime.serving.torchserve_api import ModelState, Unavailable

METRICS = """\
# TYPE ts_inference_requests_total counter
ts_inference_requests_total{model_name="digits",model_version="default",hostname="a",} 5.0
ts_inference_requests_total{model_name="digits",model_version="1.0",hostname="a",} 1.2E3
ts_inference_latency_microseconds{model_name="digits",model_version="default",hostname="a",} 71360.2
"""


def test_workers_and_queue_are_read():
    workers = [{"id": "9000", "status": "READY"}, {"id": "9001", "status": "UNLOADING"}]
    body = json.dumps([{"workers": workers, "jobQueueStatus": {"remainingCapacity": 97, "pendingRequests": 3}}])
    assert torchserve_api.parse_model(body.encode()) == ModelState(workers=2, ready=frozenset({"9000"}), queued=3)


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_an_answer_that_is_no_model_counts_as_no_answer(body: bytes):
    with pytest.raises(Unavailable):
        torchserve_api.parse_model(body)


def test_accepted_predictions_are_summed_over_versions():
    assert torchserve_api.parse_received(METRICS) == 1205


def test_before_the_first_prediction_there_is_no_counter():
    assert torchserve_api.parse_received("") == 0


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torchserve_api, "MANAGEMENT_PORT", 1)
    with pytest.raises(Unavailable, match="no answer from port 1"):
        torchserve_api.model_state("digits")
