"""What the log lines of TorchServe 0.12 are about; torchserve_config.LOGGING gives them their form."""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache

from lamplighter_runtime.common.tracebacks import Raised

_MODEL = re.compile(r"^\[W-(\d+)-[^\]]*\] (.*)$")
_THREAD = re.compile(r" \[W-(\d+)-")
_PER_REQUEST = "Backend received inference at:"
# The paths of predictions, and TorchServe's answer when it has no such model or version, which starts no prediction.
_REST = (
    r'"(?:GET|POST|PUT|OPTIONS) /(?:(?:predictions|explanations)/{model}[/? ]|v[12]/models/{model}[/:]'
    r"|models/{model}/invoke|{model}/predict|invocations)"
)
_GRPC = r'"gRPC \S+/(?:Predictions|StreamPredictions2?|ModelInfer) '
_NOT_FOUND = r'.*HTTP/\d\.\d" 404 '
# What the worker itself raises after it has logged the handler's exception.
_WORKERS_OWN = re.compile(r"^RuntimeError: \d{3} - ")
# When a handler's import fails, TorchServe looks for one of its own by that name, and fails with this instead.
_MASKING = "No module named 'ts.torch_handler."
# When the handler's initialize raises, only the last one is logged from the second time on.
_LOAD_FAILED = (
    "BatchAggregator - Load model failed",
    "WorkerThread - Backend worker error",
    "WorkerThread - Auto recovery failed again",
)
_NOT_ANSWERED = "WorkerThread - Number or consecutive unsuccessful inference"


class Kind(Enum):
    """What a log line is about."""

    SERVER = "server"
    MODEL = "model"  # written by the user's handler or its worker
    PREDICTION = "prediction"  # a prediction was answered
    BATCH = "batch"  # a worker was given requests to predict
    ACCESS = "access"
    NOT_ANSWERED = "not answered"  # TorchServe ends a worker that did not answer within the response timeout
    LOAD_FAILED = "load failed"  # a worker ended before it could serve, or for the reason in the line before


@dataclass(frozen=True)
class LogLine:
    """A parsed line; `worker` is the id of the worker that wrote it or that it is about, if any."""

    kind: Kind
    text: str
    worker: str = ""


def parse(line: str, model: str) -> LogLine:
    """Return what a line of TorchServe's output is about; `model` is the name of the served model."""
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
    """Match the access lines of the predictions that TorchServe counts as received: any path of REST, and gRPC."""
    rest = _REST.format(model=re.escape(model))
    return re.compile(rf"^\[access\] \S+ (?:(?!{_NOT_FOUND}){rest}|{_GRPC})")


def handler_error(raised: Raised) -> str:
    """Return the exception that the handler's author can fix; empty when it is not the handler's."""
    if _WORKERS_OWN.match(raised.text):
        return ""
    if raised.first and _MASKING in raised.text:
        return raised.first
    return f"{raised.text} ({raised.where})" if raised.where else raised.text
