"""What a running TorchServe 0.12 answers: its management API, its counters, its predictions."""

import http.client
import json
import re
from dataclasses import dataclass

from lamplighter_runtime.serving.torchserve_config import INFERENCE_PORT, MANAGEMENT_PORT, METRICS_PORT

READY = "READY"
_RECEIVED = re.compile(r"^ts_inference_requests_total\{[^}]*\} ([0-9.eE+]+)$", re.MULTILINE)


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


def parse_model(body: bytes) -> ModelState:
    """Read the management API's description of a model; Unavailable when it is not one."""
    try:
        description = json.loads(body)[0]
        workers = {str(worker["id"]): worker["status"] for worker in description["workers"]}
        queued = int(description.get("jobQueueStatus", {}).get("pendingRequests", 0))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unavailable(f"the management API did not answer with the description of a model: {error}") from error
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
    """Send one prediction through the port that clients use; Unavailable without an answer in time."""
    return _request(INFERENCE_PORT, f"/predictions/{model}", timeout, body, content_type)


def received() -> int:
    """Ask the metrics endpoint how many predictions TorchServe has accepted."""
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
