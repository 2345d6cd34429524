"""The manifest of a checkpoint: the size and SHA-256 of every file, to recognise a damaged checkpoint.

A folder without a manifest was made by a script without this library; it counts when it is not empty.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NAME = "manifest.json"
HASHERS = 8  # files read at the same time; hashing releases the interpreter lock


def write(folder: Path, step: int) -> None:
    """Flush every file to the disk, then write the manifest; ValueError when a file already has that name."""
    files = _files(folder)
    if NAME in files:
        raise ValueError(f"a checkpoint cannot contain a file named {NAME}")
    with ThreadPoolExecutor(HASHERS) as pool:
        described = dict(zip(files, pool.map(_flushed, files.values()), strict=True))
    with (folder / NAME).open("w", encoding="utf-8") as file:
        json.dump({"step": step, "files": described}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def problem(folder: Path, step: int | None) -> str | None:
    """Return why this is not a complete checkpoint of `step`, None when it is one; reads every byte of it."""
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        try:
            return None if any(folder.iterdir()) else "it is empty"
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
    except OSError as error:
        return f"{NAME} cannot be read: {error.strerror}"
    return _difference(folder, text, step)


def _difference(folder: Path, text: bytes, step: int | None) -> str | None:
    try:
        document = json.loads(text)
        expected = {name: (int(entry["size"]), str(entry["sha256"])) for name, entry in document["files"].items()}
        recorded = int(document["step"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{NAME} is damaged"
    if recorded != step:
        return f"{NAME} is for step {recorded}"
    # Sizes first: they reveal most damage, at no cost.
    for name, (size, _) in expected.items():
        try:
            found = (folder / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
    with ThreadPoolExecutor(HASHERS) as pool:
        digests = pool.map(lambda name: _digest(folder / name), expected)
        for (name, (_, sha256)), digest in zip(expected.items(), digests, strict=True):
            if digest != sha256:
                return f"the contents of {name} have changed since it was written"
    return None


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _flushed(path: Path) -> dict[str, int | str]:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
