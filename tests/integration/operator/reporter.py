"""A pod that reports its progress: its token, made by the API server, and its requests."""

import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes import client
from tests.integration.engine.watches import Watches
from tests.integration.operator.operator_process import Operator

from lamplighter.api.progress import PROGRESS_AUDIENCE
from lamplighter.core.objects import Obj, labels, timestamp
from lamplighter.engine.reconcile import utc_now
from lamplighter.progress.endpoint import PATH


def make_token(api: client.ApiClient, pod: Obj, audience: str = PROGRESS_AUDIENCE, *, bound: bool = True) -> str:
    """What the kubelet gets for a projected token: bound to the pod unless told otherwise."""
    meta = pod["metadata"]
    to = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    spec = {"audiences": [audience], "expirationSeconds": 3600, **({"boundObjectRef": to} if bound else {})}
    core = client.CoreV1Api(api)
    answer = core.create_namespaced_service_account_token("default", meta["namespace"], {"spec": spec})
    return str(answer.status.token)


def pods_of(watches: Watches, name: str) -> list[Obj]:
    """The pods of a training."""
    return [obj for (kind, _), obj in sorted(watches.of_owner(name).items()) if kind == "Pod"]


@dataclass
class Answer:
    """What came back."""

    status: int
    message: str
    retry_after: str | None


@dataclass
class Reporter:
    """Posts for one pod."""

    pod: Obj
    token: str
    sequence: int = field(default_factory=time.time_ns)

    def report(self, **changed: Any) -> Obj:
        """The next report, with fields changed."""
        self.sequence += 1
        marks = labels(self.pod)
        return {
            "run": int(marks.get("lamplighter.dev/run", 1)),
            "attempt": int(marks.get("lamplighter.dev/attempt", 1)),
            "sequence": self.sequence,
            "heartbeat": timestamp(utc_now()),
            **changed,
        }

    async def post(self, operator: Operator, report: Obj | None = None, **request: Any) -> Answer:
        """Send a report; ``request`` replaces the body (``data``) or adds headers."""
        address, port = operator.progress_address
        body = request if "data" in request else {"json": report or self.report(), **request}
        headers = {"Authorization": f"Bearer {self.token}", **body.pop("headers", {})}
        url = f"http://{address}:{port}{PATH}"
        async with aiohttp.ClientSession() as http, http.post(url, headers=headers, **body) as response:
            said = (await response.json())["message"] if response.status >= 400 else ""
            return Answer(response.status, said, response.headers.get("Retry-After"))

    async def status(self, operator: Operator, **request: Any) -> int:
        """Only the status; 0 when nobody listens."""
        try:
            return (await self.post(operator, **request)).status
        except aiohttp.ClientConnectionError:
            return 0
