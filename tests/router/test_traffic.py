"""Who receives which requests."""

import asyncio
import math
from collections import Counter

import pytest
from tests.router.envoy_process import Router
from tests.router.world import A, B, World, backend, both, only, until

from lamplighter.deployment.traffic.types import Forwarding, Traffic

GRPC = {"content-type": "application/grpc"}


async def test_requests_are_shared_out_exactly(world: World) -> None:
    await world.pod(A)
    await world.pod(B)
    router = await world.router(both(75))
    count, share = 1200, 0.75
    answers = Counter[str | None]()
    for _ in range(count // 100):
        answers.update(await asyncio.gather(*(_revision(world, router) for _ in range(100))))
    assert set(answers) == {A, B}
    assert abs(answers[A] - count * share) < 5 * math.sqrt(count * share * (1 - share))


async def test_a_revision_of_weight_zero_receives_nothing(world: World) -> None:
    await world.pod(A)
    beside = await world.pod(B)
    router = await world.router(both(100))
    assert {await _revision(world, router) for _ in range(50)} == {A}
    assert beside.asked == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-lamplighter-revision": B}, B),
        ({"cookie": f"lamplighter-revision={B}"}, B),
        ({"cookie": f"session=1; lamplighter-revision={B}; last=2"}, B),
        ({"cookie": f"lamplighter-revision={B}x"}, A),
        ({"cookie": f"other-lamplighter-revision={B}"}, A),
        ({"x-lamplighter-revision": "unknown"}, A),
        ({"x-lamplighter-revision": A, "cookie": f"lamplighter-revision={B}"}, A),
    ],
)
async def test_a_request_may_choose_a_pinned_revision(world: World, headers: dict[str, str], expected: str) -> None:
    await world.pod(A)
    await world.pod(B)
    router = await world.router(both(100, pins=(A, B)))
    assert (await world.get(router, headers=headers)).revision == expected


async def test_nobody_chooses_a_revision_that_is_not_pinned(world: World) -> None:
    await world.pod(A)
    await world.pod(B)
    router = await world.router(both(100))
    assert (await world.get(router, headers={"x-lamplighter-revision": B})).revision == A


async def test_copies_go_to_the_mirror_and_its_answers_nowhere(world: World) -> None:
    await world.pod(A)
    shadow = await world.pod(B)
    shadow.status = 500
    router = await world.router(both(100, mirror=(B, 100)))
    for _ in range(20):
        answer = await world.get(router, method="POST", data=b"image")
        assert (answer.status, answer.revision, answer.text) == (200, A, "image")
    await until("20 copies have come", lambda: len(shadow.asked) == 20)
    host = shadow.asked[0].headers["host"]
    assert host == f"127.0.0.1:{router.ports[8080]}"


async def test_a_slow_mirror_holds_nobody_up(world: World) -> None:
    await world.pod(A)
    shadow = await world.pod(B)
    shadow.gate.clear()
    router = await world.router(both(100, mirror=(B, 100)))
    assert (await asyncio.wait_for(world.get(router), 2)).revision == A


async def test_the_preview_port_reaches_one_revision_alone(world: World) -> None:
    await world.pod(A)
    await world.pod(B)
    router = await world.router(both(100, preview=B))
    assert {(await world.get(router, port=8081)).revision for _ in range(20)} == {B}
    assert (await world.get(router)).revision == A


async def test_without_a_preview_its_port_is_closed(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    assert not router.listens(8081)


async def test_as_long_as_nothing_serves_the_answer_says_so(world: World) -> None:
    router = await world.router(Traffic())
    answer = await world.get(router)
    assert answer.status == 503
    assert "No revision of this ModelDeployment serves yet" in answer.text
    assert router.ask("/ready")[0] == 200


@pytest.mark.parametrize("path", ["/ping", "/v2/models/digits/infer", "/explanations/digits?a=b%2Fc", "/v1/x//y/../z"])
async def test_every_path_is_passed_on_as_it_is(world: World, path: str) -> None:
    pod = await world.pod(A)
    router = await world.router(only(A))
    reader, writer = await asyncio.open_connection("127.0.0.1", router.ports[8080])
    writer.write(f"GET {path} HTTP/1.1\r\nHost: digits\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert pod.asked[-1].raw_path == path


async def test_grpc_goes_to_the_port_of_grpc_in_http2(world: World) -> None:
    pod = await world.pod(A)
    speaks = asyncio.Queue[bytes]()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaks.put_nowait(await reader.readexactly(14))
        writer.close()

    server = await asyncio.start_server(listen, pod.address, world.ports[7070])
    async with server:
        router = await world.router(only(A))
        answer = await world.get(router, "/org.pytorch.serve.grpc.inference/Ping", method="POST", headers=GRPC)
    assert await speaks.get() == b"PRI * HTTP/2.0"
    assert answer.headers["grpc-status"] == "14"
    assert pod.asked == []


async def test_http2_without_tls_is_understood_on_the_same_port(world: World) -> None:
    router = await world.router(Traffic((backend(A),)))
    reader, writer = await asyncio.open_connection("127.0.0.1", router.ports[8080])
    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    assert (await reader.readexactly(9))[3] == settings[3]
    writer.close()


async def test_a_client_does_not_change_timeouts(world: World) -> None:
    pod = await world.pod(A)
    pod.gate.clear()
    router = await world.router(only(A), Forwarding(timeout=1))
    asked = asyncio.create_task(world.get(router, headers={"x-envoy-upstream-rq-timeout-ms": "1"}))
    await until("the pod is asked", lambda: pod.asked)
    assert "x-envoy-upstream-rq-timeout-ms" not in pod.asked[0].headers
    answer = await asked
    assert answer.status == 504


async def test_more_requests_in_flight_than_allowed_are_refused_at_once(world: World) -> None:
    pod = await world.pod(A)
    pod.gate.clear()
    router = await world.router(only(A), Forwarding(timeout=10, max_requests=2))
    held = [asyncio.create_task(world.get(router)) for _ in range(2)]
    await until("both requests are in flight", lambda: len(pod.asked) == 2)
    assert router.reading().active == {A: 2}
    assert (await world.get(router)).status == 503
    pod.gate.set()
    assert [(await task).status for task in held] == [200, 200]


async def test_a_line_is_logged_per_request_when_asked_for(world: World) -> None:
    await world.pod(A)
    quiet, talking = await world.router(only(A)), await world.router(only(A), Forwarding(timeout=5, access_log=True))
    for router in (quiet, talking):
        await world.get(router, "/predictions/digits?n=7")
        assert router.ask("/ready")[0] == 200
    await until("the request is logged", lambda: "n=7" in talking.log.read_text())
    line = next(line for line in talking.log.read_text().splitlines() if "n=7" in line)
    assert all(part in line for part in (f'"revision":"{A}"', '"status":200', '"method":"GET"'))
    assert "ready" not in talking.log.read_text()
    assert quiet.log.read_text() == ""


async def _revision(world: World, router: Router) -> str | None:
    answer = await world.get(router)
    assert answer.status == 200, answer
    return answer.revision


async def test_a_body_of_many_megabytes_is_passed_on_and_copied(world: World) -> None:
    await world.pod(A)
    shadow = await world.pod(B)
    router = await world.router(both(100, mirror=(B, 100)))
    body = "x" * 6_000_000
    answer = await world.get(router, method="POST", data=body)
    assert (answer.status, answer.text == body) == (200, True)
    await until("the copy has come", lambda: shadow.received)
    assert shadow.received == [6_000_000]
