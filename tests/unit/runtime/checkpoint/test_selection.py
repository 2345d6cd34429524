"""Every pod of an attempt begins with the same checkpoint."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lamplighter_runtime.checkpoint import folders, selection


def write(directory: Path, step: int) -> Path:
    (folders.prepare(directory, step) / "state").write_bytes(b"state")
    return folders.commit(directory, step)


def test_without_a_checkpoint_it_is_a_fresh_start(tmp_path: Path):
    environ = {"LAMPLIGHTER_CHECKPOINT_DIR": str(tmp_path / "attempt-1")}
    assert selection.variables(environ) == {"LAMPLIGHTER_RESUME_DIR": "", "LAMPLIGHTER_RESUME_STEP": "0"}


def test_without_a_directory_nothing_is_said():
    assert selection.variables({}) == {}


def test_the_script_learns_folder_and_step(tmp_path: Path):
    folder = write(tmp_path / "attempt-1", 30)
    environ = {"LAMPLIGHTER_CHECKPOINT_DIR": str(tmp_path / "attempt-2")}
    assert selection.variables(environ) == {"LAMPLIGHTER_RESUME_DIR": str(folder), "LAMPLIGHTER_RESUME_STEP": "30"}


def test_the_last_attempt_that_saved_counts_not_the_highest_step(tmp_path: Path):
    write(tmp_path / "attempt-1", 50)
    folder = write(tmp_path / "attempt-2", 40)
    assert selection.choose(tmp_path / "attempt-4") == folder


def test_what_the_attempt_saved_itself_comes_first(tmp_path: Path):
    write(tmp_path / "attempt-1", 50)
    assert selection.choose(tmp_path / "attempt-2") is not None
    own = write(tmp_path / "attempt-2", 60)
    assert selection.choose(tmp_path / "attempt-2") == own


def test_a_checkpoint_that_a_leftover_process_adds_changes_nothing(tmp_path: Path):
    first = write(tmp_path / "attempt-1", 10)
    assert selection.choose(tmp_path / "attempt-2") == first
    write(tmp_path / "attempt-1", 20)
    assert selection.choose(tmp_path / "attempt-2") == first


def test_an_agreed_fresh_start_stays_one(tmp_path: Path):
    (tmp_path / "attempt-1").mkdir()
    assert selection.choose(tmp_path / "attempt-2") is None
    write(tmp_path / "attempt-1", 10)
    assert selection.choose(tmp_path / "attempt-2") is None


def test_a_later_attempt_is_not_looked_at(tmp_path: Path):
    write(tmp_path / "attempt-3", 10)
    assert selection.choose(tmp_path / "attempt-2") is None


def test_all_pods_agree_although_checkpoints_appear_meanwhile(tmp_path: Path):
    write(tmp_path / "attempt-1", 1)

    def leftover() -> None:
        for step in range(2, 30):
            write(tmp_path / "attempt-1", step)

    with ThreadPoolExecutor(9) as pool:
        writing = pool.submit(leftover)
        pods = [pool.submit(selection.choose, tmp_path / "attempt-3") for _ in range(16)]
    writing.result()
    assert len({pod.result() for pod in pods}) == 1
    assert sorted(path.name for path in (tmp_path / "attempt-3").iterdir()) == ["resume.json"]


def test_the_agreed_one_may_have_been_removed_since(tmp_path: Path):
    first, second = write(tmp_path / "attempt-1", 10), write(tmp_path / "attempt-1", 20)
    assert selection.choose(tmp_path / "attempt-2") == second
    folders.remove(second)
    assert selection.choose(tmp_path / "attempt-2") == first


def test_an_agreement_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selection, "PATIENCE", 0.0)
    folder = write(tmp_path / "attempt-1", 10)
    (tmp_path / "attempt-2").mkdir()
    (tmp_path / "attempt-2" / "resume.json").write_text("{")
    said: list[str] = []
    assert selection.choose(tmp_path / "attempt-2", said.append) == folder
    assert "each pod chooses its checkpoint on its own" in said[0]


def test_a_volume_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    folder = write(tmp_path / "attempt-1", 10)
    assert selection.choose(tmp_path / "attempt-2") == folder
    agreed = json.loads((tmp_path / "attempt-2" / "resume.json").read_text())
    assert agreed == {"checkpoint": "attempt-1/step-000000000010"}
