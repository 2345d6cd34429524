"""The door: what is asked of a request before and while it is read."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.unit.progress.scenes import OnePod, a_report, a_scene, a_token, step_of

from lamplighter.core.objects import timestamp
from lamplighter.engine import metrics
from lamplighter.engine.index import Index
from lamplighter.engine.queue import KeyedQueue
from lamplighter.engine.reconcile import utc_now
from lamplighter.progress import endpoint as module
from lamplighter.progress.endpoint import PATH, Endpoint
from lamplighter.progress.intake import Intake
from lamplighter.progress.report import MAX_BYTES
from lamplighter.progress.tokens import Tokens

JSON = {"Content-Type": "application/json"}


class Door:
    """An endpoint with an intake, and a client that sends reports."""

    def __init__(self, port: int, endpoint: Endpoint, index: Index, reviewer: OnePod) -> None:
        self.port = port
        self.endpoint = endpoint
        self.index = index
        self.reviewer = reviewer
        self.token = a_token(expires=time.time() + 3600)
        self._sequence = 0

    def body(self, **fields: Any) -> bytes:
        """The next report."""
        self._sequence += 1
        return a_report(**{"sequence": self._sequence, "heartbeat": timestamp(utc_now()), **fields})

    async def knock(self, body: Any = None, **headers: str) -> aiohttp.ClientResponse:
        """Post a report."""
        sent = {"Authorization": f"Bearer {self.token}", **JSON, **headers}
        url = f"http://127.0.0.1:{self.port}{PATH}"
        async with aiohttp.ClientSession() as http, http.post(url, data=body or self.body(), headers=sent) as response:
            await response.read()
            return response


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    index, _, pod = a_scene()
    reviewer, endpoint = OnePod(pod), Endpoint()
    endpoint.intake = Intake(index, KeyedQueue(), Tokens(reviewer), writes=20)
    async with endpoint.serve(0) as port:
        yield Door(port, endpoint, index, reviewer)


async def test_a_report_is_taken(door: Door) -> None:
    response = await door.knock(door.body(step=7))
    assert response.status == 204
    assert step_of(door.index) == 7
    assert response.headers["Connection"] == "close"


async def test_every_refusal_says_in_json_what_to_do(door: Door) -> None:
    response = await door.knock(b"{}")
    assert response.status == 400
    assert (await response.json())["message"].startswith("the report is malformed: run: ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic dTpw"}, 401),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
    ids=str,
)
async def test_a_request_without_the_right_headers_is_refused(door: Door, headers: dict[str, str], status: int) -> None:
    response = await door.knock(door.body(), **headers)
    assert response.status == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


async def test_a_charset_and_a_bearer_in_small_letters_are_fine(door: Door) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"bearer {door.token}"}
    assert (await door.knock(door.body(), **headers)).status == 204


async def chunks(size: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    yield b" " * size


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES, 400), (MAX_BYTES + 1, 413)])
async def test_a_body_has_a_limit_with_and_without_a_length(door: Door, size: int, status: int) -> None:
    assert (await door.knock(b" " * size)).status == status
    assert (await door.knock(chunks(size))).status == status


async def test_a_body_that_does_not_come_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_S", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)
        yield b"}"

    with contextlib.suppress(aiohttp.ClientError):
        assert (await door.knock(slow())).status == 400


async def test_a_connection_that_says_nothing_is_cut(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIFETIME_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    monkeypatch.undo()
    assert (await door.knock()).status == 204


async def test_connections_have_a_limit(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"POST")
    await writer.drain()
    with pytest.raises(aiohttp.ClientError):
        await door.knock()
    monkeypatch.undo()
    writer.close()
    assert (await door.knock()).status == 204
    del reader


async def test_requests_at_the_same_time_have_a_limit(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    door.reviewer.may_answer.clear()
    first = asyncio.create_task(door.knock())
    await door.reviewer.asked.wait()
    second = await door.knock()
    assert (second.status, second.headers["Retry-After"]) == (503, "1")
    door.reviewer.may_answer.set()
    assert (await first).status == 204


async def test_a_replica_that_does_not_lead_sends_pods_away(door: Door) -> None:
    door.endpoint.intake = None
    response = await door.knock()
    assert (response.status, response.headers["Retry-After"]) == (503, "1")


async def test_what_becomes_of_reports_is_counted(door: Door) -> None:
    def count(verdict: str) -> float:
        return float(metrics.PROGRESS_REPORTS.labels(verdict)._value.get())

    before = {verdict: count(verdict) for verdict in ("accepted", "malformed", "unauthenticated")}
    await door.knock()
    await door.knock(b"{}")
    await door.knock(door.body(), Authorization="")
    assert {verdict: count(verdict) - was for verdict, was in before.items()} == dict.fromkeys(before, 1.0)


async def test_there_is_nothing_else(door: Door) -> None:
    async with aiohttp.ClientSession() as http:
        for method, path, status in (("GET", PATH, 405), ("POST", "/", 404), ("GET", "/metrics", 404)):
            async with http.request(method, f"http://127.0.0.1:{door.port}{path}") as response:
                assert response.status == status
