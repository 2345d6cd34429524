"""Archives are deterministic, complete, and refused with the field that is wrong."""

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.archive import mar, package
from lamplighter_runtime.common import termination
from lamplighter_runtime.common.environment import ConfigurationError

DIGITS = {
    "modelName": "digits",
    "modelFile": "model.py",
    "handler": "handler.py",
    "weights": "model.pt",
    "extraFiles": [],
    "example": "example.json",
    "requirementsFile": None,
    "version": "1.0",
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, output = tmp_path / "source", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    (source / "model.py").write_text("class Net: ...\n")
    (source / "handler.py").write_text("class Handler: ...\n")
    (output / "model.pt").write_bytes(bytes(range(256)) * 100)
    (output / "example.json").write_text('{"instances": []}')
    return source, output


def run(folders: tuple[Path, Path], **changes: object) -> tuple[int, dict]:
    source, output = folders
    log = output.parent / "termination-log"
    environ = {
        "LAMPLIGHTER_SOURCE_DIR": str(source),
        "LAMPLIGHTER_OUTPUT_DIR": str(output),
        "LAMPLIGHTER_PACKAGE": json.dumps({**DIGITS, **changes}),
        termination.PATH_VARIABLE: str(log),
    }
    return package.run(environ), json.loads(log.read_text())


def test_an_archive_holds_the_files_and_a_manifest_for_torchserve(folders: tuple[Path, Path]):
    code, said = run(folders)
    assert code == 0
    with zipfile.ZipFile(folders[1] / "model.mar") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [mar.MANIFEST, "example.json", "handler.py", "model.pt", "model.py"]
        manifest = json.loads(archive.read(mar.MANIFEST))
    assert manifest == {
        "archiverVersion": "0.12.0",
        "runtime": "python",
        "model": {
            "modelName": "digits",
            "modelVersion": "1.0",
            "handler": "handler.py",
            "modelFile": "model.py",
            "serializedFile": "model.pt",
        },
        "lamplighter": {"example": "example.json", "contentType": "application/json"},
    }
    assert said["reason"] == "Packaged"
    assert said["sizeBytes"] == (folders[1] / "model.mar").stat().st_size


def test_the_same_files_give_the_same_digest_whenever_and_however_they_were_written(folders: tuple[Path, Path]):
    _, first = run(folders)
    for file in folders[0].iterdir():
        file.write_bytes(file.read_bytes())
        file.chmod(0o600)
    _, second = run(folders)
    assert first == second
    (folders[0] / "handler.py").write_text("class Handler: pass\n")
    assert run(folders)[1]["sha256"] != first["sha256"]


def test_nothing_but_the_archive_is_left_behind(folders: tuple[Path, Path]):
    run(folders)
    run(folders, handler="missing.py")
    assert sorted(path.name for path in folders[1].iterdir()) == ["example.json", "model.mar", "model.pt"]
    assert (folders[1] / "model.mar").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"handler": "handlr.py"},
            "spec.package.handler: handlr.py is neither in the source nor in the output "
            "(found: example.json, handler.py, model.pt, model.py)",
        ),
        ({"weights": "best.pt"}, "spec.package.weights: best.pt is neither in the source nor in the output"),
        ({"example": "../secret.json"}, "spec.package.example: ../secret.json must be a path inside"),
        ({"modelFile": "/etc/passwd"}, "spec.package.modelFile: /etc/passwd must be a path inside"),
        ({"extraFiles": ["vocab.txt"]}, "spec.package.extraFiles[0]: vocab.txt is neither"),
    ],
)
def test_a_file_that_cannot_be_packaged_is_named_with_its_field(
    folders: tuple[Path, Path], changes: dict, sentence: str
):
    code, said = run(folders, **changes)
    assert (code, said["reason"]) == (65, "PackagingFailed")
    assert said["message"].startswith(sentence)


def test_two_files_of_one_name_are_refused(folders: tuple[Path, Path]):
    (folders[1] / "best").mkdir()
    (folders[1] / "best" / "model.pt").write_text("other weights")
    code, said = run(folders, extraFiles=["best/model.pt"])
    assert code == 65
    assert "two different files would both be model.pt" in said["message"]


def test_a_folder_keeps_its_layout(folders: tuple[Path, Path]):
    (folders[1] / "vocab" / "en").mkdir(parents=True)
    (folders[1] / "vocab" / "en" / "words.txt").write_text("lamp")
    assert run(folders, extraFiles=["vocab"])[0] == 0
    with zipfile.ZipFile(folders[1] / "model.mar") as archive:
        assert "vocab/en/words.txt" in archive.namelist()


def test_one_of_torchserves_own_handlers_needs_no_file(folders: tuple[Path, Path]):
    assert run(folders, handler="image_classifier")[0] == 0
    with zipfile.ZipFile(folders[1] / "model.mar") as archive:
        assert json.loads(archive.read(mar.MANIFEST))["model"]["handler"] == "image_classifier"


def test_the_source_comes_before_the_output(folders: tuple[Path, Path]):
    (folders[1] / "handler.py").write_text("an older one")
    run(folders)
    with zipfile.ZipFile(folders[1] / "model.mar") as archive:
        assert archive.read("handler.py") == (folders[0] / "handler.py").read_bytes()


def test_the_example_can_be_read_back(folders: tuple[Path, Path]):
    run(folders)
    path = folders[1] / "model.mar"
    assert mar.read_example(path, mar.read_manifest(path)) == mar.Example(b'{"instances": []}', "application/json")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.json", "application/json"),
        ("a.PNG", "image/png"),
        ("a.txt", "text/plain"),
        ("a.npy", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_the_extension(name: str, expected: str):
    assert mar.content_type(name) == expected


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip"])
def test_what_is_no_archive_is_refused_in_a_sentence(tmp_path: Path, content: bytes):
    (tmp_path / "digits.mar").write_bytes(content)
    with pytest.raises(mar.InvalidArchiveError, match=r"digits\.mar is not a model archive"):
        mar.read_manifest(tmp_path / "digits.mar")


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_garbage_in_the_environment_is_a_configuration_error(text: str):
    with pytest.raises(ConfigurationError, match="LAMPLIGHTER_PACKAGE cannot be parsed"):
        package.parse(text)
