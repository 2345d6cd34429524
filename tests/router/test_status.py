"""What a router tells, and what it keeps to itself."""

import pytest
from tests.router.envoy_process import Router
from tests.router.world import FORWARDING, A, B, World, both, only, until

from lamplighter.deployment.traffic.types import fingerprint

SECRETS = [
    "/",
    "/stats",
    "/config_dump",
    "/quitquitquit",
    "/healthcheck/fail",
    "/drain_listeners?inboundonly",
    "/status?filter=.",
    "/status/",
    "/metrics?text_readouts",
    "/metrics/../config_dump",
    "/status%2f..%2fconfig_dump",
    "/ready/..;/quitquitquit",
    "//config_dump",
]


async def test_nothing_but_ready_metrics_and_status_is_seen_from_outside(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    assert {path: router.ask(path)[0] for path in ("/ready", "/metrics", "/status")} == dict.fromkeys(
        ("/ready", "/metrics", "/status"), 200
    )
    for path in SECRETS:
        assert router.ask(path)[0] in (400, 404), path
    for path in ("/ready", "/metrics", "/status", "/quitquitquit", "/healthcheck/fail"):
        assert router.ask(path, method="POST")[0] == 404, path
    assert router.ask("/status")[0] == 200


@pytest.mark.parametrize(
    "path", ["/config_dump", "/quitquitquit", "/runtime_modify?a=b", "/logging?level=trace", "/memory"]
)
async def test_envoys_own_admin_port_refuses_what_nobody_needs(world: World, path: str) -> None:
    router = await world.router(only(A))
    for method in ("GET", "POST"):
        assert router.ask(path, method=method, port=9901)[0] == 403


async def test_a_status_tells_the_version_and_the_pods(world: World) -> None:
    for revision in (A, A, B):
        await world.pod(revision)
    router = await world.router(both(60))
    seen = router.reading()
    assert (seen.version, seen.rejected) == (fingerprint(both(60), FORWARDING), False)
    assert (seen.healthy, seen.active) == ({A: 2, B: 1}, {A: 0, B: 0})


async def test_metrics_count_answers_and_their_time_per_revision(world: World) -> None:
    await world.pod(A)
    bad = await world.pod(B)
    bad.status = 503
    router = await world.router(both(100, pins=(B,)))
    for _ in range(7):
        await world.get(router)
    for _ in range(3):
        await world.get(router, headers={"x-lamplighter-revision": B})
    cluster = {"envoy_cluster_name": f"rest-{A}", "revision": A}
    await until(
        "seven requests are counted", lambda: router.metric("envoy_cluster_upstream_rq_time_count", **cluster) == 7
    )
    assert router.metric("envoy_cluster_upstream_rq_time_bucket", le="1000", **cluster) == 7
    assert router.metric("envoy_cluster_upstream_rq_time_bucket", le="150", **cluster) is not None
    assert router.metric("envoy_cluster_upstream_rq_total", **cluster) == 7
    assert router.metric("envoy_cluster_upstream_rq_xx", envoy_response_code_class="2", **cluster) == 7
    assert router.metric("envoy_cluster_upstream_rq_xx", envoy_response_code_class="5", revision=B) == 3
    assert router.metric("envoy_cluster_upstream_rq", envoy_response_code="503", revision=B) == 3


async def test_metrics_tell_failed_calls_of_grpc(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    headers = {"content-type": "application/grpc"}
    await world.get(router, "/org.pytorch.serve.grpc.inference/Ping", method="POST", headers=headers)
    assert router.metric("envoy_cluster_grpc_failure", revision=A) == 1


async def test_statistics_that_nobody_reads_are_not_kept(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    await world.get(router)
    before = _samples(router)
    assert before < 200
    for _ in range(20):
        await world.get(router)
    assert _samples(router) <= before + 40  # a histogram appears when it is merged


def _samples(router: Router) -> int:
    return sum(not line.startswith("#") for line in router.ask("/metrics")[1].splitlines())
