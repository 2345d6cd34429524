"""Calls of gRPC: many on one connection, which a router that stops asks its clients to leave."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from tests.router.envoy_process import Router
from tests.router.world import A, B, World, both, only, serve, until

SERVICE, METHOD = "org.pytorch.serve.grpc.inference.InferenceAPIsService", "Predictions"


def model(revision: str) -> grpc.GenericRpcHandler:
    """Answers each call with the name of its revision."""

    async def predict(_request: bytes, _context: object) -> bytes:
        return revision.encode()

    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(predict)})


@dataclass
class Calls:
    """What came of calls made without a pause: by revision, and the errors."""

    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Of answers."""
        return self.answers.total()


@asynccontextmanager
async def serving(world: World, *revisions: str) -> AsyncIterator[None]:
    """One pod of each revision answers gRPC."""
    servers = []
    for revision in revisions:
        pod, server = await world.pod(revision), grpc.aio.server()
        server.add_generic_rpc_handlers((model(revision),))
        server.add_insecure_port(f"{pod.address}:{world.ports[7070]}")
        await server.start()
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            await server.stop(None)


@asynccontextmanager
async def calling(*routers: Router, people: int = 4) -> AsyncIterator[Calls]:
    """People who call without a pause, all over one channel: each router in turn that takes connections."""
    calls, over = Calls(), asyncio.Event()
    addresses = ",".join(f"127.0.0.1:{router.ports[8080]}" for router in routers)
    async with grpc.aio.insecure_channel(
        f"ipv4:{addresses}", options=[("grpc.lb_policy_name", "round_robin")]
    ) as channel:
        predict = channel.unary_unary(f"/{SERVICE}/{METHOD}")

        async def ask() -> None:
            while not over.is_set():
                try:
                    calls.answers[(await predict(b"x" * 100, timeout=30)).decode()] += 1
                except grpc.aio.AioRpcError as error:
                    calls.lost.append(f"{error.code()} {error.details()}")

        tasks = [asyncio.create_task(ask()) for _ in range(people)]
        try:
            await until("each has called five times", lambda: calls.count > 5 * people or calls.lost)
            yield calls
        finally:
            over.set()
            await asyncio.gather(*tasks)


async def test_no_call_is_lost_when_a_router_is_stopped(world: World) -> None:
    async with serving(world, A):
        going, staying = await world.router(only(A)), await world.router(only(A))
        async with calling(going, staying) as calls:
            await until(
                "the one that goes has calls",
                lambda: going.metric("envoy_cluster_upstream_rq_total", envoy_cluster_name=f"grpc-{A}"),
            )
            drain = await asyncio.to_thread(going.drain, delay=1, limit=10)
            assert await asyncio.to_thread(drain.wait) == 0
            assert not going.listens(8080)
            await asyncio.to_thread(going.stop)
            after = calls.count
            await until("100 more calls", lambda: calls.count > after + 100)
    assert calls.lost == []


async def test_no_call_is_lost_while_shares_and_clusters_change(world: World) -> None:
    async with serving(world, A, B):
        router = await world.router(only(A))
        async with calling(router) as calls:
            for traffic in (*(both(share) for share in range(100, -1, -10)), only(B)):
                await serve(router, traffic)
            before = calls.count
            await until("100 more calls", lambda: calls.count > before + 100)
    assert calls.lost == []
    assert set(calls.answers) == {A, B}
