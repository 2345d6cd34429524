"""The cluster itself: `make cluster` must not take one for healthy that only looks so."""

import subprocess

import pytest
from tests import tools
from tests.e2e import cluster
from tests.programs.demo.cluster import condition
from tests.waiting import wait_until

NODE = "lamplighter-worker2"


@pytest.mark.alone
def test_a_cluster_whose_node_was_started_again_is_not_healthy_until_it_is_healed() -> None:
    assert _kind("healthy")
    subprocess.run(["docker", "restart", "--time=5", NODE], check=True, capture_output=True)
    wait_until(
        "the node says that it is Ready", lambda: condition(cluster.get("node", NODE), "Ready")["status"] == "True", 300
    )
    try:
        assert not _kind("healthy")
    finally:
        assert _kind("heal")
    assert _kind("healthy")


def _kind(verb: str) -> bool:
    return subprocess.run([tools.ROOT / "tests/cluster/kind.sh", verb], check=False).returncode == 0
