"""What a running TorchServe 0.12 says: its management API, its counters and its log lines."""

import http.client
import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache

from lamplighter_runtime.common.tracebacks import Raised
from lamplighter_runtime.serving.torchserve_config import INFERENCE_PORT, MANAGEMENT_PORT, METRICS_PORT

READY = "READY"
_RECEIVED = re.compile(r"^ts_inference_requests_total\{[^}]*\} ([0-9.eE+]+)$", re.MULTILINE)
# The patterns of torchserve_config.LOGGING.
_MODEL = re.compile(r"^\[W-(\d+)-[^\]]*\] (.*)$")
_THREAD = re.compile(r" \[W-(\d+)-")
_PER_REQUEST = "Backend received inference at:"
# The paths that become a prediction of a model, and TorchServe's answer when it has no such model or version: no job.
_REST = (
    r'"(?:GET|POST|PUT|OPTIONS) /(?:(?:predictions|explanations)/{model}[/? ]|v[12]/models/{model}[/:]'
    r"|models/{model}/invoke|{model}/predict|invocations)"
)
_GRPC = r'"gRPC \S+/(?:Predictions|StreamPredictions2?|ModelInfer) '
_NOT_FOUND = r'.*HTTP/\d\.\d" 404 '
# What the worker raises for itself after it has logged the handler's exception.
_WORKERS_OWN = re.compile(r"^RuntimeError: \d{3} - ")
# After a handler's failed import TorchServe looks for one of its own by that name, and fails with this instead.
_MASKING = "No module named 'ts.torch_handler."
# The last is all there is, from the second time on, when the handler's initialize raises an exception of its own.
_LOAD_FAILED = (
    "BatchAggregator - Load model failed",
    "WorkerThread - Backend worker error",
    "WorkerThread - Auto recovery failed again",
)
_NOT_ANSWERED = "WorkerThread - Number or consecutive unsuccessful inference"


class Unavailable(Exception):  # noqa: N818 - a state, not a fault of the caller
    """TorchServe did not answer."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes


@dataclass(frozen=True)
class ModelState:
    """The workers and the queue of the served model."""

    workers: int
    ready: frozenset[str]  # the ids of the workers that answer
    queued: int


class Kind(Enum):
    """What a log line is about."""

    SERVER = "server"
    MODEL = "model"  # written by the user's handler or its worker
    PREDICTION = "prediction"  # a prediction was answered
    BATCH = "batch"  # a worker was given requests to predict
    ACCESS = "access"
    NOT_ANSWERED = "not answered"  # a worker is ended that did not answer within the response timeout
    LOAD_FAILED = "load failed"  # a worker ended before it could serve, or was ended for the reason of the line before


@dataclass(frozen=True)
class LogLine:
    """A parsed line; `worker` is the id of the worker that wrote it or that it is about, where there is one."""

    kind: Kind
    text: str
    worker: str = ""


def parse_log(line: str, model: str) -> LogLine:
    """Tell what a line of TorchServe's output is about; `model` is the one that is served."""
    if line.startswith("[access] "):
        return LogLine(Kind.PREDICTION if _answers(model).match(line) else Kind.ACCESS, line)
    if match := _MODEL.match(line):
        kind = Kind.BATCH if match.group(2).startswith(_PER_REQUEST) else Kind.MODEL
        return LogLine(kind, match.group(2), match.group(1))
    thread = _THREAD.search(line)
    worker = thread.group(1) if thread else ""
    if _NOT_ANSWERED in line:
        return LogLine(Kind.NOT_ANSWERED, line, worker)
    if any(mark in line for mark in _LOAD_FAILED):
        return LogLine(Kind.LOAD_FAILED, line, worker)
    return LogLine(Kind.SERVER, line)


@cache
def _answers(model: str) -> re.Pattern[str]:
    """The access lines of predictions that were counted as received: over REST by any of its paths, or over gRPC."""
    rest = _REST.format(model=re.escape(model))
    return re.compile(rf"^\[access\] \S+ (?:(?!{_NOT_FOUND}){rest}|{_GRPC})")


def handler_error(raised: Raised) -> str:
    """Return the exception that the author of the handler can do something about; empty when it is none of theirs."""
    if _WORKERS_OWN.match(raised.text):
        return ""
    if raised.first and _MASKING in raised.text:
        return raised.first
    return f"{raised.text} ({raised.where})" if raised.where else raised.text


def parse_model(body: bytes) -> ModelState:
    """Read the management API's description of a model; Unavailable when it is not one."""
    try:
        description = json.loads(body)[0]
        workers = {str(worker["id"]): worker["status"] for worker in description["workers"]}
        queued = int(description.get("jobQueueStatus", {}).get("pendingRequests", 0))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unavailable(f"the management API answered something else than a model: {error}") from error
    return ModelState(len(workers), frozenset(worker for worker, status in workers.items() if status == READY), queued)


def parse_received(metrics: str) -> int:
    """Return how many predictions TorchServe has accepted since it started, answered or not."""
    return round(sum(float(value) for value in _RECEIVED.findall(metrics)))


def model_state(model: str) -> ModelState:
    """Ask the management API for the model's workers; Unavailable while it does not answer."""
    answer = _request(MANAGEMENT_PORT, f"/models/{model}", timeout=5)
    if answer.status != 200:
        raise Unavailable(f"the management API answered {describe(answer)}")
    return parse_model(answer.body)


def predict(model: str, body: bytes, content_type: str, timeout: float) -> Answer:
    """Send one prediction through the same port that clients use; Unavailable without an answer in time."""
    return _request(INFERENCE_PORT, f"/predictions/{model}", timeout, body, content_type)


def received() -> int:
    """Ask the metrics endpoint how many predictions were accepted."""
    answer = _request(METRICS_PORT, "/metrics", timeout=5)
    return parse_received(answer.body.decode("utf-8", "replace"))


def describe(answer: Answer) -> str:
    """Return an answer's status and the beginning of its body, for a sentence."""
    return f"{answer.status}: {' '.join(answer.body.decode('utf-8', 'replace').split())[:300]}"


def _request(port: int, path: str, timeout: float, body: bytes | None = None, content_type: str = "") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": content_type})
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"no answer from port {port}: {error!r}") from error
    finally:
        connection.close()
