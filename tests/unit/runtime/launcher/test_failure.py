"""Among ranks that fail together the one that began it is found."""

import pytest

from lamplighter_runtime.launcher import failure

OWN = ["Traceback (most recent call last):", "  File x", "ValueError: boom"]
LOST = "RuntimeError: [/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1"


def marked(rank: int, *lines: str) -> list[str]:
    return [f"[rank{rank}]: {line}" for line in lines]


def table(first: int, codes: dict[int, int]) -> list[str]:
    rows = [
        ["[0]:", f"  rank      : {rank} (local_rank: {rank})", f"  exitcode  : {code} (pid: 7)"]
        for rank, code in codes.items()
    ]
    others = [line for rank, row in zip(codes, rows, strict=True) if rank != first for line in row]
    root = [line for rank, row in zip(codes, rows, strict=True) if rank == first for line in row]
    failed = (
        "E1121 11:00:00.000000 7 torch/distributed/elastic/multiprocessing/api.py:1] failed (exitcode: 1) local_rank: 0"
    )
    return [failed, "Failures:", *others, "Root Cause (first observed failure):", *root]


def read(lines: dict[int, list[str]], account: list[str]) -> failure.Outputs:
    outputs = failure.Outputs()
    for rank, said in lines.items():
        for line in said:
            outputs.of(rank).feed(line, errors=True)
    for line in account:
        outputs.torchrun.feed(line)
    return outputs


def test_a_rank_that_failed_on_its_own_counts_before_one_that_lost_it():
    lines = {0: marked(0, OWN[0], OWN[1], LOST), 1: marked(1, *OWN)}
    cause = read(lines, table(0, {0: 1, 1: 1})).cause(1)
    assert (cause.rank, cause.sentence, cause.code) == (1, "ValueError: boom", 1)
    assert cause.tail[-1] == "[rank1]: ValueError: boom"


def test_a_killed_rank_counts_before_those_that_lost_it():
    cause = read({0: marked(0, OWN[0], OWN[1], LOST), 1: ["hello"]}, table(0, {0: 1, 1: -9})).cause(1)
    assert (cause.rank, cause.sentence, cause.code) == (1, "a rank was terminated by SIGKILL", -9)


TIMED_OUT = (
    "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE, NumelIn=1, "
    "NumelOut=1, Timeout(ms)=600000) ran for 600029 milliseconds before timing out."
)


def test_a_rank_that_the_watchdog_of_nccl_aborted_hung_whatever_it_writes_afterwards():
    said = [f"[rank0]:[E1121 11:00:00.0 ProcessGroupNCCL.cpp:629] {TIMED_OUT}", *30 * ["frame #0: c10::Error"]]
    cause = read({0: [*said, *marked(0, *OWN)]}, table(0, {0: -6})).cause(1)
    assert (cause.sentence, cause.hung, cause.peer_lost) == (TIMED_OUT, True, False)


def test_a_rank_that_torchrun_ended_is_not_the_cause():
    cause = read({0: marked(0, OWN[0], OWN[1], LOST), 1: []}, table(0, {0: 1, 1: -15})).cause(1)
    assert (cause.rank, cause.peer_lost) == (0, True)


def test_torchruns_own_exception_counts_where_no_rank_failed():
    lost = "torch.distributed.elastic.rendezvous.api.RendezvousConnectionError: The connection has failed."
    cause = read({0: ["hello"]}, [OWN[0], OWN[1], lost]).cause(1)
    assert (cause.rank, cause.sentence, cause.peer_lost) == (None, lost, True)


def test_the_last_state_of_a_progress_bar_is_in_the_tail():
    cause = read({0: ["10%\r20%\r30%"]}, table(0, {0: 3})).cause(1)
    assert cause.sentence == "30%"


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        ("torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered", True),
        ("RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable", True),
        ("RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable", True),
        ("RuntimeError: CUDA error: hardware stack error", True),
        ("NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.", True),
        ("RuntimeError: CUDA error: device-side assert triggered", False),
        ("torch.OutOfMemoryError: CUDA out of memory.", False),
        ("RuntimeError: CUDA error: an illegal memory access was encountered", False),
        ("ValueError: device unavailable in stock", False),
    ],
)
def test_only_an_error_that_names_the_device_as_broken_blames_it(error: str, broken: bool):
    assert failure.Cause(error, 1).gpu_failed is broken


def test_an_elastic_group_does_not_repeat_a_users_error():
    outputs = read({0: marked(0, *OWN)}, []).snapshot()
    cause = failure.own_error(outputs, 0, 1)
    assert cause is not None
    assert cause.sentence == "ValueError: boom"


def test_a_users_error_is_found_behind_a_neighbour_that_lost_it():
    outputs = read({0: marked(0, OWN[0], OWN[1], LOST), 1: marked(1, *OWN)}, []).snapshot()
    cause = failure.own_error(outputs, 0, 1)
    assert cause is not None
    assert cause.rank == 1


@pytest.mark.parametrize(("last", "code"), [(LOST, 1), ("killed", -9)])
def test_an_elastic_group_mends_a_lost_peer_or_a_signal(last: str, code: int):
    outputs = read({0: marked(0, OWN[0], OWN[1], last) if code > 0 else []}, []).snapshot()
    assert failure.own_error(outputs, 0, code) is None
