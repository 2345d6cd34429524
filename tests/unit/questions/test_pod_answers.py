"""A pod is asked at its own address, and whatever it says hurts nobody."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from lamplighter.questions.pod_answers import ask

POD = {"metadata": {"namespace": "team", "name": "digits-router-0"}, "status": {"podIP": "127.0.0.1"}}
GOOD = {"stats": [{"name": "a", "value": 1}]}


def answer(body: bytes, pod: dict[str, Any] = POD, path: str = "/status", status: int = 200) -> Any:
    """What asking gives when the pod says this."""

    async def run() -> Any:
        async def say(_: web.Request) -> web.Response:
            return web.Response(body=body, status=status)

        app = web.Application()
        app.router.add_get("/status", say)
        app.router.add_get("/team/digits-router-0", say)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as session:
                return await ask(session, f"http://{{ip}}:{port}{path}", pod)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_what_a_pod_says_is_read() -> None:
    assert answer(json.dumps(GOOD).encode()) == GOOD


def test_a_pod_that_is_not_ready_says_why() -> None:
    assert answer(json.dumps(GOOD).encode(), status=503) == GOOD


def test_the_address_may_be_made_of_namespace_and_name() -> None:
    assert answer(json.dumps(GOOD).encode(), path="/{namespace}/{pod}") == GOOD


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b"null", b'{"a": "' + b"x" * (2 << 20) + b'"}'])
def test_what_is_no_answer_is_none(body: bytes) -> None:
    assert answer(body) is None


def test_a_pod_without_an_address_says_nothing() -> None:
    assert answer(json.dumps(GOOD).encode(), {**POD, "status": {}}) is None


def test_a_pod_where_nobody_listens_says_nothing() -> None:
    assert answer(json.dumps(GOOD).encode(), {**POD, "status": {"podIP": "127.0.0.2"}}) is None
