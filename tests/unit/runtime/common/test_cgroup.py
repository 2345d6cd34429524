"""The container's cgroup is read."""

import os
from pathlib import Path

import pytest

from lamplighter_runtime.common import cgroup


def write(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            4,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"sys/fs/cgroup/cpu.max": "99900000 100000\n"}, 64),
        ({}, 64),
    ],
)
def test_processors_follow_the_containers_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for path, content in files.items():
        write(tmp_path, path, content)
    assert cgroup.usable_processors(tmp_path) == expected


@pytest.mark.parametrize(
    ("path", "content", "kills"),
    [
        ("sys/fs/cgroup/memory.events", "low 0\nmax 9\noom 3\noom_kill 2\n", 2),
        ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("elsewhere", "", 0),
    ],
)
def test_kills_for_memory_are_counted_in_both_kinds_of_cgroup(tmp_path: Path, path: str, content: str, kills: int):
    write(tmp_path, path, content)
    assert cgroup.oom_kills(tmp_path) == kills


@pytest.mark.parametrize(
    ("path", "content", "limit"),
    [
        ("sys/fs/cgroup/memory.max", "1073741824\n", 1 << 30),
        ("sys/fs/cgroup/memory.max", "max\n", None),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n", 512 << 20),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("elsewhere", "", None),
    ],
)
def test_the_memory_limit_is_read_from_both_kinds_of_cgroup(tmp_path: Path, path: str, content: str, limit: int | None):
    write(tmp_path, path, content)
    assert cgroup.memory_limit(tmp_path) == limit
