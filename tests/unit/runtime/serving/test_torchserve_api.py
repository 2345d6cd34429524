"""What TorchServe says is understood."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common.tracebacks import Raised
from lamplighter_runtime.serving import torchserve_api
from lamplighter_runtime.serving.torchserve_api import Kind, ModelState, Unavailable

METRICS = """\
# TYPE ts_inference_requests_total counter
ts_inference_requests_total{model_name="digits",model_version="default",hostname="a",} 5.0
ts_inference_requests_total{model_name="digits",model_version="1.0",hostname="a",} 1.2E3
ts_inference_latency_microseconds{model_name="digits",model_version="default",hostname="a",} 71360.2
"""


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        ('[access] /127.0.0.1:1 "POST /predictions/digits HTTP/1.1" 200 3', Kind.PREDICTION, None),
        ('[access] /127.0.0.1:1 "POST /predictions/digits/1.0 HTTP/1.1" 503 3', Kind.PREDICTION, None),
        ('[access] /127.0.0.1:1 "POST /predictions/nope HTTP/1.1" 404 3', Kind.ACCESS, None),
        ('[access] /127.0.0.1:1 "GET /models/digits HTTP/1.1" 200 3', Kind.ACCESS, None),
        ('[access] /127.0.0.1:1 "POST /predictions/digits/7.0 HTTP/1.1" 404 3', Kind.ACCESS, None),
        ('[access] /127.0.0.1:1 "POST /predictions/digits2 HTTP/1.1" 200 3', Kind.ACCESS, None),
        ('[access] /127.0.0.1:1 "POST /v2/models/digits/infer HTTP/1.1" 200 3', Kind.PREDICTION, None),
        ('[access] /127.0.0.1:1 "POST /v1/models/digits:predict HTTP/1.1" 200 3', Kind.PREDICTION, None),
        ('[access] /127.0.0.1:1 "POST /models/digits/invoke HTTP/1.1" 200 3', Kind.PREDICTION, None),
        ('[access] /127.0.0.1:1 "POST /invocations?model_name=digits HTTP/1.1" 200 3', Kind.PREDICTION, None),
        (
            '[access] /10.0.0.1:1 "gRPC org.x.InferenceAPIsService/Predictions HTTP/2.0" 0 3',
            Kind.PREDICTION,
            None,
        ),
        (
            '[access] /10.0.0.1:1 "gRPC org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping HTTP/2.0" 0 3',
            Kind.ACCESS,
            None,
        ),
        ("[W-9000-digits_1.0-stdout] Backend received inference at: 1", Kind.BATCH, "Backend received inference at: 1"),
        ("[W-9000-digits_1.0-stdout] ValueError: boom", Kind.MODEL, "ValueError: boom"),
        ("[W-9000-digits_1.0-stdout]   File x", Kind.MODEL, "  File x"),
        ("2026 [WARN ] BatchAggregator - Load model failed: digits, error: Worker died.", Kind.LOAD_FAILED, None),
        ("2026 [ERROR] WorkerThread - Backend worker error", Kind.LOAD_FAILED, None),
        ("2026 [ERROR] WorkerThread - Number or consecutive unsuccessful inference 1", Kind.NOT_ANSWERED, None),
        ("2026 [WARN ] WorkerThread - Auto recovery failed again", Kind.LOAD_FAILED, None),
        ("Model server started.", Kind.SERVER, None),
    ],
)
def test_log_lines_are_told_apart(line: str, kind: Kind, text: str | None):
    parsed = torchserve_api.parse_log(line, "digits")
    assert parsed.kind is kind
    assert parsed.text == (line if text is None else text)


def test_a_line_tells_of_which_worker_it_is():
    lines = ["[W-9001-digits_1.0-stdout] x", "2026 [ERROR] [W-9001-digits_1.0] WorkerThread - Backend worker error"]
    assert [torchserve_api.parse_log(line, "digits").worker for line in lines] == ["9001", "9001"]


def test_torchserves_own_search_does_not_hide_a_handlers_failed_import():
    masked = "ModuleNotFoundError: No module named 'ts.torch_handler.handler'"
    missing = "ModuleNotFoundError: No module named 'transformers'"
    assert torchserve_api.handler_error(Raised(masked, None, first=missing)) == missing
    assert torchserve_api.handler_error(Raised("ValueError: boom", None, first="KeyError: 1")) == "ValueError: boom"


def test_what_the_worker_raises_for_itself_is_no_error_of_the_handler():
    assert torchserve_api.handler_error(Raised("RuntimeError: 500 - Unknown exception", None)) == ""


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
