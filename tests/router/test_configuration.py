"""A router reads new files without losing a request, and refuses bad ones."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from tests.router.envoy_process import Router
from tests.router.world import FORWARDING, A, B, World, backend, both, config, only, serve, until
from tests.samples.traffic import all_forwarding, traffics

from lamplighter.deployment.traffic.types import Forwarding, Traffic, fingerprint


async def test_no_request_is_lost_while_weights_change_many_times(world: World) -> None:
    for revision in (A, A, B, B):
        await world.pod(revision)
    router = await world.router(both(100))
    async with world.load(router) as load:
        for step in range(30):
            await serve(router, both(step * 37 % 101, preview=A if step % 3 == 0 else None))
        begun = load.count
        await until("100 more answers", lambda: load.count > begun + 100)
    assert load.lost == []
    assert set(load.answers) == {A, B}
    assert router.reading().rejected is False


async def test_no_request_is_lost_while_revisions_come_and_go(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    both_known = (backend(A), backend(B))
    async with world.load(router) as load:
        await world.pod(B)
        for old, new in ((A, B), (B, A), (A, B)):
            await serve(router, Traffic(both_known, ((old, 100),)))
            assert router.reading().healthy == {A: 1, B: 1}
            await serve(router, Traffic(both_known, ((new, 100),)))
            await serve(router, only(new))
    assert load.lost == []


async def test_no_request_is_lost_while_limits_and_timeouts_change(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    async with world.load(router) as load:
        for step in range(10):
            await serve(
                router, only(A), Forwarding(timeout=10 + step, max_requests=100 + step, access_log=step % 2 == 0)
            )
    assert load.lost == []


def _with_unknown_field(text: str) -> str:
    content = json.loads(text)
    content["resources"][0]["colour"] = "red"
    return json.dumps(content)


@pytest.mark.parametrize(
    ("file", "shares"),
    # As the operator writes them: a share rises beside clusters and listeners that are in force, and no others.
    [("cds.json", both(100)), ("lds.json", both(100, preview=B)), ("rds.json", both(0))],
)
async def test_a_refused_file_costs_no_request_and_shifts_none(world: World, file: str, shares: Traffic) -> None:
    await world.pod(A)
    await world.pod(B)
    router = await world.router(both(100))
    assert not router.reading().rejected
    forwarding = FORWARDING if file == "rds.json" else Forwarding(timeout=7, max_requests=7)
    bad = config(shares, forwarding)
    await asyncio.to_thread(router.swap, {**bad, file: _with_unknown_field(bad[file])})
    await until("the router has refused it", lambda: router.reading().rejected)
    async with world.load(router) as load:
        await until("100 answers", lambda: load.count > 100)
    assert (load.lost, set(load.answers)) == ([], {A})
    assert router.reading().version != fingerprint(shares, forwarding)
    await serve(router, both(50))


async def test_a_file_that_is_no_json_leaves_the_old_configuration_at_work(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    await asyncio.to_thread(router.swap, dict.fromkeys(config(only(A), FORWARDING), "{ this is no JSON"))
    await until("the router complains", lambda: router.log.stat().st_size)
    assert router.reading().version == fingerprint(only(A), FORWARDING)
    assert (await world.get(router)).status == 200


async def test_a_router_whose_first_routes_are_refused_is_not_ready(world: World) -> None:
    bad = config(only(A), FORWARDING)
    router = await world.router(only(A), wait=False, spoiled={"rds.json": _with_unknown_field(bad["rds.json"])})
    await until("the router has refused it", lambda: router.reading().rejected)
    assert router.ask("/ready")[0] == 404
    assert router.reading().version is None


@pytest.fixture(scope="module")
def any_router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    router = Router(tmp_path_factory.mktemp("any") / "router", {})
    yield router.start(config(Traffic(), FORWARDING))
    router.stop()


@given(traffic=traffics(), forwarding=all_forwarding())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_built_is_accepted(any_router: Router, traffic: Traffic, forwarding: Forwarding) -> None:
    assert any_router.accepts(config(traffic, forwarding), fingerprint(traffic, forwarding)), (
        any_router.log.read_text()[-2000:]
    )
    assert set(any_router.reading().active) == {backend.revision for backend in traffic.backends}
