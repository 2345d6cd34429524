"""lamplighter-package: pack a run's output and source into one reproducible model archive."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lamplighter_runtime.archive import mar
from lamplighter_runtime.common import termination
from lamplighter_runtime.common.environment import CONFIGURATION_ERROR, ConfigurationError, required

PROGRAM = "lamplighter-package"
PACKAGING_FAILED = 65  # EX_DATAERR of sysexits.h
ARCHIVE = "model.mar"
NAMES_SHOWN = 20


class PackagingError(Exception):
    """A file that spec.package names cannot be packaged."""


@dataclass(frozen=True)
class Package:
    """The operator's LAMPLIGHTER_PACKAGE: the files as spec.package names them."""

    model: mar.Model
    extra_files: tuple[str, ...]


def parse(text: str) -> Package:
    """Read LAMPLIGHTER_PACKAGE; ConfigurationError when it is not what the operator writes."""
    try:
        document = json.loads(text)
        model = mar.Model(
            name=document["modelName"],
            version=str(document.get("version") or "1.0"),
            handler=document["handler"],
            model_file=document.get("modelFile") or None,
            weights=document.get("weights") or None,
            requirements_file=document.get("requirementsFile") or None,
            example=document.get("example") or None,
        )
        return Package(model, tuple(document.get("extraFiles") or ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"LAMPLIGHTER_PACKAGE cannot be parsed: {error!r}") from error


class Folders:
    """Where files are looked up: the source first, then the output."""

    def __init__(self, source: Path | None, output: Path) -> None:
        """`source` is None where the script is part of the image."""
        self.places = [place for place in (source, output) if place is not None and place.is_dir()]

    def find(self, field: str, name: str) -> Path:
        """Return the file or folder that `field` names; PackagingError when there is none."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise PackagingError(f"{field}: {name} must be a path inside the source or the output")
        for place in self.places:
            if (place / path).exists():
                return place / path
        raise PackagingError(f"{field}: {name} is neither in the source nor in the output (found: {self._listing()})")

    def _listing(self) -> str:
        # A mounted ConfigMap contains `..data` and `..2026_...`, which are not the user's files.
        names = sorted({path.name for place in self.places for path in place.iterdir() if path.name[:1] != "."})
        if not names:
            return "nothing"
        more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        return ", ".join(names[:NAMES_SHOWN]) + more


def members(package: Package, folders: Folders) -> tuple[mar.Model, dict[str, Path]]:
    """Return the manifest's model and the archive's members; TorchServe expects all named files at the top level."""
    found: dict[str, Path] = {}

    def place(field: str, name: str | None) -> str | None:
        if name is None:
            return None
        path = folders.find(field, name)
        if not path.is_file():
            raise PackagingError(f"{field}: {name} is a folder; it must be a file")
        return _put(found, field, path.name, path)

    model = package.model
    handler, _, function = model.handler.partition(":")
    # Without .py it is one of TorchServe's own handlers, such as image_classifier.
    if handler.endswith(".py"):
        handler = place("spec.package.handler", handler) or handler
    model = replace(
        model,
        handler=f"{handler}:{function}" if function else handler,
        model_file=place("spec.package.modelFile", model.model_file),
        weights=place("spec.package.weights", model.weights),
        requirements_file=place("spec.package.requirementsFile", model.requirements_file),
        example=place("spec.package.example", model.example),
    )
    for index, name in enumerate(package.extra_files):
        _add_extra(found, f"spec.package.extraFiles[{index}]", folders.find(f"spec.package.extraFiles[{index}]", name))
    return model, found


def _add_extra(found: dict[str, Path], field: str, path: Path) -> None:
    if path.is_file():
        _put(found, field, path.name, path)
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            _put(found, field, f"{path.name}/{file.relative_to(path).as_posix()}", file)


def _put(found: dict[str, Path], field: str, member: str, path: Path) -> str:
    if found.setdefault(member, path) != path:
        raise PackagingError(f"{field}: two different files would both be {member} in the archive; rename one")
    return member


def run(environ: Mapping[str, str]) -> int:
    """Write the archive into the output folder and its digest into the termination message; return the exit code."""
    output = Path(required(environ, "LAMPLIGHTER_OUTPUT_DIR"))
    source = environ.get("LAMPLIGHTER_SOURCE_DIR")
    package = parse(required(environ, "LAMPLIGHTER_PACKAGE"))
    try:
        model, found = members(package, Folders(Path(source) if source else None, output))
        archive = mar.write(output / ARCHIVE, model, found)
    except PackagingError as error:
        return termination.fail(environ, PROGRAM, PACKAGING_FAILED, "PackagingFailed", str(error))
    except OSError as error:
        sentence = f"{ARCHIVE} could not be written to the output volume: {error}"
        return termination.fail(environ, PROGRAM, PACKAGING_FAILED, "PackagingFailed", sentence)
    holds = ", ".join(sorted(found))
    print(f"{PROGRAM}: wrote {ARCHIVE}, {archive.size} bytes, sha256 {archive.sha256}, containing {holds}")
    report = termination.render("Packaged", sha256=archive.sha256, sizeBytes=archive.size, file=ARCHIVE)
    termination.write(report, environ)
    return 0


def main() -> int:
    """Entry point of the console script."""
    try:
        return run(os.environ)
    except ConfigurationError as error:
        return termination.fail(os.environ, PROGRAM, CONFIGURATION_ERROR, "ConfigurationError", str(error))
