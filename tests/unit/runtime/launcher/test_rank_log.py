"""Each rank's log is bounded, keeps the newest, and harms nothing when its volume fails."""

import os
from pathlib import Path

from lamplighter_runtime.launcher import rank_log


def test_the_newest_is_kept_in_two_segments(tmp_path: Path):
    log = rank_log.RankLog(tmp_path / "rank-0.log")
    for number in range(100_000):
        log.write(b"line %06d\n" % number)
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= rank_log.SEGMENT
    kept = (tmp_path / "rank-0.log.1").read_bytes() + (tmp_path / "rank-0.log").read_bytes()
    assert kept.endswith(b"line 099999\n")
    assert len(kept) > rank_log.SEGMENT


def test_the_ranks_are_kept_apart_and_a_restart_appends(tmp_path: Path):
    for text in (b"first\n", b"second\n"):
        logs = rank_log.RankLogs(tmp_path / "logs", print)
        logs.start()
        logs.write(0, text)
        logs.write(1, b"other\n")
        logs.close()
    assert (tmp_path / "logs" / "rank-0.log").read_bytes() == b"first\nsecond\n"
    assert (tmp_path / "logs" / "rank-1.log").read_bytes() == b"other\nother\n"


def test_a_volume_that_cannot_be_written_is_reported_once(tmp_path: Path):
    (tmp_path / "file").touch()
    said: list[str] = []
    logs = rank_log.RankLogs(tmp_path / "file" / "logs", said.append)
    logs.start()
    for _ in range(10):
        logs.write(0, b"text\n")
    logs.close()
    assert len(said) == 1
    assert "training continues without them" in said[0]


def test_a_volume_that_is_stuck_never_blocks_a_rank(tmp_path: Path):
    os.mkfifo(tmp_path / "rank-0.log")  # opening it waits for a reader that never comes
    logs = rank_log.RankLogs(tmp_path, print)
    logs.start()
    for _ in range(10 * rank_log.QUEUED):
        logs.write(0, b"text\n")
