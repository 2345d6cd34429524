"""A router that is stopped, as the kubelet does it: lamplighter-router-drain, then SIGTERM."""

import asyncio
import os
import subprocess
import sys

from tests.router.envoy_process import DRAIN, Router
from tests.router.pods import Pod
from tests.router.world import A, Answer, World, only, until


async def test_no_request_is_lost_when_a_router_is_stopped(world: World) -> None:
    for _ in range(2):
        await world.pod(A)
    going, staying = await world.router(only(A)), await world.router(only(A))
    async with world.load(going, people=8) as load:
        drain = await asyncio.to_thread(going.drain, delay=1, limit=10)
        await until("the router is not ready any more", lambda: going.ask("/ready")[0] == 503)
        before = load.count
        await until("50 more answers", lambda: load.count > before + 50)  # it still takes requests
        load.url = staying.url  # no kube-proxy sends to it any more
        assert await asyncio.to_thread(drain.wait) == 0
        assert not going.listens(8080)
        await asyncio.to_thread(going.stop)
        after = load.count
        await until("50 more answers", lambda: load.count > after + 50)
    assert load.lost == []


async def with_one_in_flight(world: World) -> tuple[Pod, Router, asyncio.Task[Answer]]:
    """A pod that keeps a request waiting, its router, and the request."""
    pod = await world.pod(A)
    pod.gate.clear()
    router = await world.router(only(A))
    asked = asyncio.create_task(world.get(router))
    await until("the pod is asked", lambda: pod.asked)
    return pod, router, asked


async def test_what_is_in_flight_is_waited_for(world: World) -> None:
    pod, router, asked = await with_one_in_flight(world)
    drain = await asyncio.to_thread(router.drain, delay=0, limit=10)
    await until("the router has stopped listening", lambda: not router.listens(8080))
    assert router.reading().active == {A: 1}
    assert drain.poll() is None
    pod.gate.set()
    assert await asyncio.to_thread(drain.wait) == 0
    assert (await asked).status == 200


async def test_a_request_that_takes_too_long_is_given_up(world: World) -> None:
    pod, router, asked = await with_one_in_flight(world)
    drain = await asyncio.to_thread(router.drain, delay=0, limit=0.3)
    assert await asyncio.to_thread(drain.wait) == 1
    pod.gate.set()
    await asked


def test_without_envoy_there_is_nothing_to_wait_for() -> None:
    environment = os.environ | {"LAMPLIGHTER_ADMIN": "127.0.0.1:1"}
    done = subprocess.run([sys.executable, DRAIN], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "admin port" in done.stderr
    assert "Traceback" not in done.stderr
