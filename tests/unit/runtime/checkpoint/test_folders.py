"""A checkpoint is all there or not there; damage is noticed; the newest are kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lamplighter_runtime.checkpoint import folders, selection


def write(directory: Path, step: int, **files: bytes) -> Path:
    folder = folders.prepare(directory, step)
    for name, content in (files or {"state": b"x" * 1000}).items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folders.commit(directory, step)


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "state").read_bytes())
    content[500] ^= 1
    (folder / "state").write_bytes(content)


def test_a_checkpoint_appears_with_a_manifest_of_its_files(tmp_path: Path):
    folder = write(tmp_path, 120, a=b"1", shards__0=b"22")
    assert folder.name == "step-000000000120"
    document = json.loads((folder / "manifest.json").read_text())
    assert document["step"] == 120
    assert {name: entry["size"] for name, entry in document["files"].items()} == {"a": 1, "shards/0": 2}
    assert folders.problem(folder) is None


def test_a_checkpoint_is_invisible_until_it_is_committed(tmp_path: Path):
    (folders.prepare(tmp_path, 5) / "state").write_bytes(b"half")
    assert folders.found(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_bit, "the contents of state have changed since it was written"),
        (lambda folder: (folder / "state").write_bytes(b"x" * 999), "state has 999 bytes instead of 1000"),
        (lambda folder: (folder / "state").unlink(), "state is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (
            lambda folder: (folder / "manifest.json").write_text('{"step": 3, "files": {}}'),
            "manifest.json is for step 3",
        ),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json is damaged"),
    ],
)
def test_the_one_before_a_damaged_checkpoint_is_used(tmp_path: Path, damage: Callable[[Path], object], reason: str):
    good, bad = write(tmp_path / "attempt-1", 10), write(tmp_path / "attempt-1", 20)
    damage(bad)
    said: list[str] = []
    assert folders.problem(bad) == reason
    assert selection.choose(tmp_path / "attempt-2", said.append) == good
    assert said == [f"skipping checkpoint attempt-1/step-000000000020: {reason}"]


def test_a_folder_of_the_scripts_own_counts_unless_it_is_empty(tmp_path: Path):
    (tmp_path / "step-7").mkdir()
    assert folders.problem(tmp_path / "step-7") == "it is empty"
    (tmp_path / "step-7" / "weights").touch()
    assert selection.newest([tmp_path]) == tmp_path / "step-7"


def test_a_step_may_be_written_again(tmp_path: Path):
    flip_a_bit(write(tmp_path, 10))
    assert folders.problem(write(tmp_path, 10, state=b"new")) is None
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000010"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    (folders.prepare(tmp_path, 5) / "state").write_bytes(b"half")
    write(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000010"]


def test_a_file_cannot_take_the_manifests_name(tmp_path: Path):
    folder = folders.prepare(tmp_path, 1)
    (folder / "manifest.json").touch()
    with pytest.raises(ValueError, match=r"cannot contain a file named manifest\.json"):
        folders.commit(tmp_path, 1)


def test_the_newest_are_kept_over_all_attempts(tmp_path: Path):
    for attempt, step in ((1, 10), (1, 20), (2, 15), (2, 25)):
        write(tmp_path / f"attempt-{attempt}", step)
    folders.prune(tmp_path / "attempt-2", 3)
    left = sorted(f"{path.parent.name}/{path.name}" for path in tmp_path.glob("*/step-*"))
    assert left == ["attempt-1/step-000000000020", "attempt-2/step-000000000015", "attempt-2/step-000000000025"]


def test_the_last_one_is_never_removed(tmp_path: Path):
    folder = write(tmp_path / "attempt-1", 10)
    folders.prune(tmp_path / "attempt-1", 0)
    assert folders.problem(folder) is None


def test_a_leftover_process_of_an_earlier_attempt_removes_nothing(tmp_path: Path):
    for step in (10, 20, 30):
        write(tmp_path / "attempt-1", step)
    (tmp_path / "attempt-2").mkdir()
    folders.prune(tmp_path / "attempt-1", 1)
    assert len(folders.found(tmp_path / "attempt-1")) == 3


def test_what_the_script_wrote_by_itself_is_the_scripts_to_remove(tmp_path: Path):
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / "weights").touch()
    write(tmp_path, 2)
    folders.prune(tmp_path, 1)
    assert len(folders.found(tmp_path)) == 2
