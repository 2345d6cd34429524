"""Which checkpoint an attempt resumes from: the newest complete one, and the same for every pod."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from lamplighter_runtime.checkpoint import folders

DIRECTORY_VARIABLE = "LAMPLIGHTER_CHECKPOINT_DIR"
RESUME_VARIABLE = "LAMPLIGHTER_RESUME_DIR"
STEP_VARIABLE = "LAMPLIGHTER_RESUME_STEP"
AGREED = "resume.json"
PATIENCE = 10.0  # seconds until another pod's file must be readable


def _silent(_sentence: str) -> None:
    return


def variables(environ: Mapping[str, str], say: Callable[[str], None] = _silent) -> dict[str, str]:
    """Return the script's variables: the folder to resume from and its step; empty and 0 for a fresh start."""
    directory = environ.get(DIRECTORY_VARIABLE)
    if not directory:
        return {}
    folder = choose(Path(directory), say)
    step = folders.step_of(folder) if folder is not None else None
    return {RESUME_VARIABLE: str(folder or ""), STEP_VARIABLE: str(step or 0)}


def choose(directory: Path, say: Callable[[str], None] = _silent) -> Path | None:
    """Return the checkpoint to resume from, None for a fresh start; `say` gets a sentence for each damaged one.

    The attempt's own checkpoints come first: its Job was suspended and resumed. Among those of earlier attempts, the
    first pod that writes `resume.json` decides, as a leftover process of an earlier attempt may still add another.
    """
    own = newest([directory], say)
    if own is not None:
        return own
    attempt = folders.attempt_of(directory)
    earlier = [
        path
        for number, path in sorted(folders.siblings(directory).items(), reverse=True)
        if attempt is not None and number < attempt
    ]
    if not earlier:
        return None
    agreed = directory / AGREED
    if not agreed.exists():
        try:
            _propose(agreed, newest(earlier, say))
        except OSError as error:
            say(f"cannot write {agreed}: {error.strerror}; each pod chooses its checkpoint on its own")
            return newest(earlier, say)
    return _agreed(agreed, earlier, say)


def newest(directories: list[Path], say: Callable[[str], None] = _silent) -> Path | None:
    """Return the newest complete checkpoint; `directories` are in order of preference."""
    for directory in directories:
        for folder in folders.found(directory):
            reason = folders.problem(folder)
            if reason is None:
                return folder
            say(f"skipping checkpoint {directory.name}/{folder.name}: {reason}")
    return None


def _propose(agreed: Path, folder: Path | None) -> None:
    """Write the choice unless another pod was faster; the file is never visible without its content."""
    agreed.parent.mkdir(parents=True, exist_ok=True)
    choice = None if folder is None else f"{folder.parent.name}/{folder.name}"
    handle, name = tempfile.mkstemp(dir=agreed.parent, prefix=f".{AGREED}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"checkpoint": choice}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        with suppress(FileExistsError):
            try:
                agreed.hardlink_to(temporary)
            except FileExistsError:
                raise
            except OSError:  # a volume without hard links: readers wait for the content
                with agreed.open("x", encoding="utf-8") as file:
                    file.write(temporary.read_text(encoding="utf-8"))
    finally:
        temporary.unlink(missing_ok=True)


def _agreed(agreed: Path, earlier: list[Path], say: Callable[[str], None]) -> Path | None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            choice = json.loads(agreed.read_text(encoding="utf-8"))["checkpoint"]
            folder = agreed.parent.parent / choice if choice is not None else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            say(f"cannot read {agreed}: {error!r}; each pod chooses its checkpoint on its own")
            return newest(earlier, say)
        if folder is None or folder.is_dir():
            return folder
        say(f"checkpoint {choice}, which this attempt started from, is gone; using the newest one left")
        return newest(earlier, say)
