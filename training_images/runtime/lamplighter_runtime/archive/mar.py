"""The .mar file: TorchServe's model archive, a zip with a manifest.

The same members give the same bytes, on any machine: sorted, dated 1980, stored and not compressed (two zlib builds
compress differently, weights hardly compress at all, and a stored archive opens faster).
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MANIFEST = "MAR-INF/MANIFEST.json"
# What torch-model-archiver of TorchServe 0.12 writes into its manifests.
ARCHIVER_VERSION = "0.12.0"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can hold
CHUNK = 1 << 20
CONTENT_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".txt": "text/plain",
}


@dataclass(frozen=True)
class Model:
    """What the manifest says about the members; None where the archive has no such file."""

    name: str
    version: str
    handler: str
    model_file: str | None = None
    weights: str | None = None
    requirements_file: str | None = None
    example: str | None = None


@dataclass(frozen=True)
class Archive:
    """An archive that has been written."""

    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Example:
    """A request body that the model must be able to answer."""

    body: bytes
    content_type: str


class InvalidArchiveError(Exception):
    """The file is not a model archive that TorchServe can load."""


def content_type(name: str) -> str:
    """Return the content type for sending a file of this name as a request body."""
    return CONTENT_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def manifest(model: Model) -> bytes:
    """Return the manifest's bytes, without anything that differs between two runs, such as the time or the host."""
    entry = {
        "modelName": model.name,
        "modelVersion": model.version,
        "handler": model.handler,
        "modelFile": model.model_file,
        "serializedFile": model.weights,
        "requirementsFile": model.requirements_file,
    }
    document: dict[str, object] = {
        "runtime": "python",
        "model": {key: value for key, value in entry.items() if value is not None},
        "archiverVersion": ARCHIVER_VERSION,
    }
    if model.example is not None:
        document["lamplighter"] = {"example": model.example, "contentType": content_type(model.example)}
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def write(target: Path, model: Model, members: Mapping[str, Path]) -> Archive:
    """Write the archive under a temporary name, then rename it: a reader sees the whole file or none of it."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w+b") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(_member(MANIFEST), manifest(model))
                for name in sorted(members):
                    _add(archive, name, members[name])
            stream.flush()
            os.fsync(stream.fileno())
            size = stream.tell()
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide it from a server with another uid
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return Archive(digest, size)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o100644 << 16
    info.create_system = 3  # Unix, on any system
    return info


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    info = _member(name)
    info.file_size = source.stat().st_size  # lets zipfile decide on zip64 before it writes
    with source.open("rb") as reader, archive.open(info, "w") as writer:
        while chunk := reader.read(CHUNK):
            writer.write(chunk)


def read_manifest(path: Path) -> dict[str, object]:
    """Return the manifest of an archive; InvalidArchiveError when there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(MANIFEST))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InvalidArchiveError(f"{path.name} is not a model archive: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("model"), dict):
        raise InvalidArchiveError(f"{path.name} is not a model archive: its manifest has no model")
    return document


def model_version(document: Mapping[str, object]) -> str:
    """Return the version under which TorchServe serves the model."""
    model = document.get("model")
    version = model.get("modelVersion") if isinstance(model, dict) else None
    return str(version) if version else "1.0"


def read_example(path: Path, document: Mapping[str, object]) -> Example | None:
    """Return the packaged request body, or None when the archive was packaged without one."""
    extension = document.get("lamplighter")
    name = extension.get("example") if isinstance(extension, dict) else None
    if not isinstance(extension, dict) or not isinstance(name, str):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            body = archive.read(name)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise InvalidArchiveError(
            f"{path.name}: cannot read the example {name} that its manifest names: {error}"
        ) from error
    return Example(body, str(extension.get("contentType") or content_type(name)))
