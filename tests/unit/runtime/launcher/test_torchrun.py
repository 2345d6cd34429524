"""What torchrun's recorded output says."""

from pathlib import Path

import pytest

from lamplighter_runtime.launcher import torchrun

HERE = Path(__file__).parent
# Standard error of torchrun of PyTorch 2.13 with two processes, as it was written.
RECORDED = HERE / "torchrun-2.13"


def read(name: str) -> torchrun.FailureReader:
    reader = torchrun.FailureReader()
    for line in (RECORDED / name).read_text(encoding="utf-8").splitlines():
        reader.feed(line)
    return reader


@pytest.mark.parametrize(
    ("recording", "cause", "code"),
    [
        ("raise-on-rank-1.txt", "ValueError: boom ü", 1),
        ("raise-on-import.txt", "KeyError: 'early'", 1),
        ("sys-exit-42.txt", None, 42),
        ("sigkill.txt", None, -9),
        ("missing-script.txt", None, 2),
    ],
)
def test_the_cause_and_exit_code_of_the_first_failed_rank_are_found(recording: str, cause: str | None, code: int):
    reader = read(recording)
    assert (reader.cause, reader.exit_code) == (cause, code)


def test_the_tail_is_the_scripts_own():
    assert read("sys-exit-42.txt").tail == ["no data in /data, giving up"] * 2
    assert not any("torch/distributed/run.py" in line for line in read("raise-on-rank-1.txt").tail)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"message": {"message": "RuntimeError: one\\ntwo", "extraInfo": {}}}', "RuntimeError: one"),
        ('{"message": "a plain sentence"}', "a plain sentence"),
        ('{"message": {}}', None),
        ("not json", None),
    ],
)
def test_the_error_file_of_a_recorded_script_is_read(tmp_path: Path, content: str, expected: str | None):
    file = tmp_path / "error.json"
    file.write_text(content)
    assert torchrun.recorded_error(file) == expected


def test_a_script_that_records_nothing_leaves_no_error_file(tmp_path: Path):
    assert torchrun.recorded_error(tmp_path / "error.json") is None


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (
            "RuntimeError: [/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [::]:1",
            True,
        ),
        ("torch.distributed.DistBackendError: NCCL error: ncclRemoteError: A call failed", True),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", False),
        ("ValueError: boom", False),
    ],
)
def test_the_echo_of_another_ranks_end_is_recognised(error: str, lost: bool):
    assert torchrun.is_peer_loss(error) is lost
