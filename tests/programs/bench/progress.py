"""Many trainings that report at once: what the operator takes, how fast it answers, how little it writes."""

import http.client
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from tests.programs.bench.figures import percentile, rounded
from tests.programs.bench.measure import THREADS
from tests.programs.bench.server import PATHS, Connection, Obj, Server
from tests.programs.bench.sightings import UnfinishedError

PATH = "/v1/progress"
AUDIENCE = "lamplighter.dev/progress"
INTERVAL_S = 1.0
"""Each pod reports as often as it may."""


@dataclass
class Pod:
    """Who reports, with what."""

    token: str
    run: int
    attempt: int
    step: int = 0

    def report(self) -> bytes:
        """The next one."""
        self.step += 1
        said = {
            "run": self.run,
            "attempt": self.attempt,
            "sequence": time.time_ns(),
            "step": self.step,
            "total": 100_000,
            "samplesPerSecond": 532.1,
            "metrics": {"loss": 1 / self.step, "accuracy": 0.9, "grad_norm": 1.5},
            "heartbeat": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return orjson.dumps(said)


@dataclass
class Reports:
    """What came of them."""

    statuses: list[int] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self, status_writes: float) -> dict[str, float]:
        """For the report; ``status_writes``: how many the operator made meanwhile."""
        accepted = self.statuses.count(204)
        return {
            "reports_per_s": rounded(accepted / self.seconds),
            "status_writes_per_s": rounded(status_writes / self.seconds),
            "endpoint_p99_ms": rounded(percentile(self.took_ms, 99)),
            "endpoint_p50_ms": rounded(percentile(self.took_ms, 50)),
            "refused": float(len(self.statuses) - accepted),
        }


def pods(server: Server, namespace: str) -> list[Pod]:
    """All pods of the namespace, each with a token that is bound to it."""
    items = server.call("GET", PATHS["Pod"].format(namespace))["items"]
    with server.connection() as connection:
        return [_with_token(connection, namespace, item["metadata"]) for item in items]


def _with_token(connection: Connection, namespace: str, meta: Obj) -> Pod:
    to = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    spec = {"audiences": [AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": to}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = orjson.loads(connection.send("POST", path, orjson.dumps(body)).read())
    marks = meta["labels"]
    return Pod(answer["status"]["token"], int(marks["lamplighter.dev/run"]), int(marks["lamplighter.dev/attempt"]))


def report(reporting: list[Pod], port: int, seconds: float) -> Reports:
    """All pods report for so long, by some threads."""
    shares = [Reports() for _ in range(THREADS)]
    errors: list[BaseException] = []
    begun = time.perf_counter()

    def work(number: int) -> None:
        try:
            _share(reporting[number::THREADS], port, begun + seconds, shares[number])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise UnfinishedError("a thread could not report") from errors[0]
    return Reports(
        [status for share in shares for status in share.statuses],
        [took for share in shares for took in share.took_ms],
        time.perf_counter() - begun,
    )


def _share(mine: list[Pod], port: int, until: float, reports: Reports) -> None:
    while (round_begun := time.perf_counter()) < until:
        for pod in mine:
            _post(pod, port, reports)
        time.sleep(max(round_begun + INTERVAL_S - time.perf_counter(), 0.0))


def _post(pod: Pod, port: int, reports: Reports) -> None:
    """As a launcher does: a connection for each report."""
    body = pod.report()
    headers = {"Authorization": f"Bearer {pod.token}", "Content-Type": "application/json"}
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", PATH, body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    reports.took_ms.append((time.perf_counter() - begun) * 1000)
    reports.statuses.append(response.status)
