"""Progress reaches the operator when it can, and never holds up a training."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lamplighter_runtime.launcher.reporter import Reporter


class Operator(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.got: list[tuple[str, dict]] = []
        self.more = threading.Condition()

    def wait_for(self, number: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.got) >= number, 20)


class Handler(BaseHTTPRequestHandler):
    server: Operator

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with self.server.more:
            self.server.got.append((self.headers["Authorization"], body))
            self.server.more.notify_all()

    def log_message(self, *_: object) -> None:
        return


class Training:
    def __init__(self, url: str, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text("first\n")
        self.latest: dict | None = None
        self.said: list[str] = []
        environ = {
            "LAMPLIGHTER_RUN": "3",
            "LAMPLIGHTER_ATTEMPT": "2",
            "LAMPLIGHTER_PROGRESS_URL": url,
            "LAMPLIGHTER_PROGRESS_TOKEN_FILE": str(self.token),
            "LAMPLIGHTER_PROGRESS_INTERVAL_S": "1",
        }
        self.reporter = Reporter(environ, lambda: self.latest, self.said.append)


@pytest.fixture
def operator() -> Iterator[Operator]:
    server = Operator()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def training(operator: Operator, tmp_path: Path) -> Training:
    return Training(f"http://127.0.0.1:{operator.server_port}/progress", tmp_path)


def test_each_new_report_is_sent_with_the_token_of_the_moment(operator: Operator, training: Training):
    training.latest = {"step": 1, "heartbeat": "2026-11-21T00:00:00.000Z"}
    training.reporter.start()
    operator.wait_for(1)
    training.token.write_text("second\n")
    training.latest = {"step": 2, "heartbeat": "2026-11-21T00:00:01.000Z"}
    operator.wait_for(2)
    training.reporter.close()
    (first, one), (second, two) = operator.got
    assert (first, second) == ("Bearer first", "Bearer second")
    assert (one["run"], one["attempt"], one["step"], two["step"]) == (3, 2, 1, 2)
    assert two["sequence"] > one["sequence"] > 10**18


def test_the_last_report_is_sent_at_the_end(operator: Operator, training: Training):
    training.reporter.start()
    training.latest = {"step": 9}
    training.reporter.close()
    operator.wait_for(1)  # on a busy machine it is still on its way: nobody waits long for it
    assert [body["step"] for _, body in operator.got] == [9]


def test_nothing_new_is_not_sent_again(operator: Operator, training: Training):
    training.latest = {"step": 1}
    training.reporter.start()
    operator.wait_for(1)
    training.reporter.close()
    assert len(operator.got) == 1


def test_when_the_attempt_is_over_nothing_more_is_sent(operator: Operator, training: Training):
    operator.answers = [(410, {})]
    training.latest = {"step": 1}
    training.reporter.start()
    operator.wait_for(1)
    training.reporter.join(20)
    training.latest = {"step": 2}
    training.reporter.close()
    assert len(operator.got) == 1
    assert "this attempt has ended" in training.said[0]


def test_a_busy_operator_is_asked_again_when_it_says(operator: Operator, training: Training):
    operator.answers = [(429, {"Retry-After": "1"}), (503, {})]
    training.latest = {"step": 1}
    began = time.monotonic()
    training.reporter.start()
    operator.wait_for(3)  # after the second and the fourth of a second, and not at once
    assert time.monotonic() - began >= 2.9
    training.reporter.close()
    assert len(training.said) == 1
    assert "429" in training.said[0]


def test_an_operator_that_is_not_there_lets_the_run_end(tmp_path: Path):
    training = Training("http://127.0.0.1:9/progress", tmp_path)
    training.latest = {"step": 1}
    training.reporter.start()
    training.reporter.close()
    assert "the training is not affected" in training.said[0]


@pytest.mark.parametrize(("url", "wanted"), [("", False), ("file:///etc/passwd", False), ("http://x/", True)])
def test_without_a_url_nothing_is_reported(tmp_path: Path, url: str, wanted: bool):
    assert Training(url, tmp_path).reporter.wanted is wanted
