"""The launcher with a real torchrun: hangs, elastic groups."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tests.torch.launcher import Attempt


def test_a_hang_is_ended_with_the_stacks_of_all_ranks_in_their_logs(start: Callable[..., Attempt]):
    attempt = start(1, "hang.py", LAMPLIGHTER_HANG_TIMEOUT_S="3")
    assert attempt.end() == 75
    assert (attempt.message["reason"], attempt.message["step"]) == ("Hang", 4)
    assert "no sign of life from rank" in attempt.message["message"]
    logs = {rank: (attempt.logs / f"rank-{rank}.log").read_text() for rank in (0, 1)}
    assert "in wait_for_data" in logs[1]
    assert "in all_reduce" in logs[0]
    assert "in wait_for_data" in attempt.output
    assert not attempt.ranks()


def test_an_elastic_group_goes_on_without_a_drained_node_and_ends_when_it_loses_its_host(
    start: Callable[..., Attempt], tmp_path: Path
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {
        "LAMPLIGHTER_ELASTIC": "1",
        "PET_NNODES": "1:2",
        "PET_NPROC_PER_NODE": "1",
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": f"127.0.0.1:{port}",
        "PET_RDZV_ID": "elastic",
        "PET_RDZV_CONF": "last_call_timeout=3,keep_alive_interval=1",
        "PET_MAX_RESTARTS": "3",
        "PET_LOCAL_ADDR": "127.0.0.1",
    }
    # The second begins first and waits for the host.
    second = start(1, "elastic.py", **common, PET_NODE_RANK="1")
    host = start(1, "elastic.py", **common, PET_NODE_RANK="0")
    host.wait_for(r"from \d+ with 2")
    second.wait_for(r"from \d+ with 2")
    host.wait_for(r"saved \d+")
    second.process.send_signal(signal.SIGTERM)
    assert second.end() == 143
    host.wait_for(r"from [1-9]\d* with 1")  # on from what was saved

    third = start(1, "elastic.py", **common, PET_NODE_RANK="1")
    third.wait_for(r"from [1-9]\d* with 2")
    host.kill()
    assert third.end() == 1, third.output
    assert third.message["reason"] == "PeerLost"
