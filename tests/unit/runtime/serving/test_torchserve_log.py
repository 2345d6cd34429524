"""What TorchServe logs is understood."""

import pytest

from lamplighter_runtime.common.tracebacks import Raised
from lamplighter_runtime.serving import torchserve_log
from lamplighter_runtime.serving.torchserve_log import Kind


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
    parsed = torchserve_log.parse(line, "digits")
    assert parsed.kind is kind
    assert parsed.text == (line if text is None else text)


def test_a_line_tells_of_which_worker_it_is():
    lines = ["[W-9001-digits_1.0-stdout] x", "2026 [ERROR] [W-9001-digits_1.0] WorkerThread - Backend worker error"]
    assert [torchserve_log.parse(line, "digits").worker for line in lines] == ["9001", "9001"]


def test_torchserves_own_search_does_not_hide_a_handlers_failed_import():
    masked = "ModuleNotFoundError: No module named 'ts.torch_handler.handler'"
    missing = "ModuleNotFoundError: No module named 'transformers'"
    assert torchserve_log.handler_error(Raised(masked, None, first=missing)) == missing
    assert torchserve_log.handler_error(Raised("ValueError: boom", None, first="KeyError: 1")) == "ValueError: boom"


def test_what_the_worker_raises_for_itself_is_no_error_of_the_handler():
    assert torchserve_log.handler_error(Raised("RuntimeError: 500 - Unknown exception", None)) == ""
