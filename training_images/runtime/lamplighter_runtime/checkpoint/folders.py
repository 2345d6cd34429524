"""Checkpoints as folders: how they are named, committed and removed.

A checkpoint is written into a hidden folder, which is then renamed to `attempt-<k>/step-<12 digits>/`.
"""

import os
import re
import shutil
from pathlib import Path

from lamplighter_runtime.checkpoint import manifest

_STEP = re.compile(r"step-(\d+)")
_ATTEMPT = re.compile(r"attempt-(\d+)")


def step_of(folder: Path) -> int | None:
    """Return the step that a checkpoint's folder is named for; None for any other name."""
    match = _STEP.fullmatch(folder.name)
    return int(match.group(1)) if match else None


def attempt_of(directory: Path) -> int | None:
    """Return the attempt that a directory of checkpoints is named for; None for any other name."""
    match = _ATTEMPT.fullmatch(directory.name)
    return int(match.group(1)) if match else None


def final(directory: Path, step: int) -> Path:
    """Return the folder of a step's committed checkpoint."""
    return directory / f"step-{step:012d}"


def temporary(directory: Path, step: int) -> Path:
    """Return the folder that a step's checkpoint is written to, the same for every rank."""
    return directory / f".step-{step:012d}.writing"


def prepare(directory: Path, step: int) -> Path:
    """Create the empty folder that a step's checkpoint is written to; remove what a killed process left there."""
    folder = temporary(directory, step)
    _remove_unfinished(directory)
    folder.mkdir(parents=True)
    return folder


def commit(directory: Path, step: int) -> Path:
    """Commit what was written as the step's checkpoint: flush it to the disk, then rename it."""
    folder, target = temporary(directory, step), final(directory, step)
    manifest.write(folder, step)
    for inner in [path for path in folder.rglob("*") if path.is_dir()] + [folder]:
        _flush_folder(inner)
    if target.exists():  # damaged, or the group resumed from an earlier step
        remove(target)
    folder.rename(target)
    _flush_folder(directory)
    return target


def problem(folder: Path) -> str | None:
    """Return why a checkpoint cannot be used, None when it is complete; reads every byte of it."""
    return manifest.problem(folder, step_of(folder))


def found(directory: Path) -> list[Path]:
    """Return the checkpoints of one attempt, complete or damaged, newest first."""
    try:
        folders = [folder for folder in directory.iterdir() if step_of(folder) is not None and folder.is_dir()]
    except OSError:
        return []
    return sorted(folders, key=lambda folder: step_of(folder) or 0, reverse=True)


def siblings(directory: Path) -> dict[int, Path]:
    """Return the directories of all attempts by attempt, this one included."""
    own = attempt_of(directory)
    if own is None:
        return {1: directory}
    try:
        beside = [path for path in directory.parent.iterdir() if path.is_dir()]
    except OSError:
        beside = []
    return {own: directory, **{attempt: path for path in beside if (attempt := attempt_of(path)) is not None}}


def prune(directory: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of this attempt and the earlier ones.

    Only what this library wrote is removed, and nothing once a later attempt exists: it may have chosen to resume from
    what a leftover process of this one would remove.
    """
    own = attempt_of(directory) or 1
    attempts = siblings(directory)
    if max(attempts) > own:
        return
    newest_first = [folder for attempt in sorted(attempts, reverse=True) for folder in found(attempts[attempt])]
    for folder in newest_first[max(1, keep) :]:
        if (folder / manifest.NAME).exists():
            remove(folder)
    for attempt, path in attempts.items():
        if attempt < own:
            _remove_unfinished(path)


def remove(folder: Path) -> None:
    """Remove a checkpoint; hide it first, as half of one must not be taken for a checkpoint."""
    hidden = folder.with_name(f".{folder.name}.removing")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _remove_unfinished(directory: Path) -> None:
    for leftover in [*directory.glob(".step-*.writing"), *directory.glob(".step-*.removing")]:
        shutil.rmtree(leftover, ignore_errors=True)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
