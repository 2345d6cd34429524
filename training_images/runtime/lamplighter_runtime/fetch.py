"""lamplighter-fetch: copy the model archive into the pod and let it pass only with the digest that was promised.

An archive runs as code in TorchServe; the digest is checked on the very bytes that are copied.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from lamplighter_runtime import termination
from lamplighter_runtime.environment import CONFIGURATION_ERROR, ConfigurationError, required

PROGRAM = "lamplighter-fetch"
DIGEST_MISMATCH = 66
MODEL_NOT_FOUND = 67
STORE_FAILED = 74  # EX_IOERR of sysexits.h
CHUNK = 1 << 20


class FetchError(Exception):
    """The archive did not get into the store; carries the exit code and the reason for the operator."""

    def __init__(self, code: int, reason: str, sentence: str) -> None:
        """Say what happened in one sentence."""
        super().__init__(sentence)
        self.code, self.reason = code, reason


def fetch(source: Path, digest: str, target: Path) -> int:
    """Copy `source` to `target` if its SHA-256 is `digest`; return the size in bytes. FetchError otherwise."""
    try:
        reader = source.open("rb")
    except OSError as error:
        sentence = f"{source} cannot be read from the models volume: {error.strerror}"
        raise FetchError(MODEL_NOT_FOUND, "ModelNotFound", sentence) from error
    with reader:
        try:
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                size, found = _copy(reader.read, handle)
                _check(source, digest, found)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            sentence = f"{source} could not be copied to {target.parent}: {error.strerror}"
            raise FetchError(STORE_FAILED, "StoreFailed", sentence) from error
    return size


def _copy(read: Callable[[int], bytes], handle: int) -> tuple[int, str]:
    sha256, size = hashlib.sha256(), 0
    with os.fdopen(handle, "wb") as writer:
        while chunk := read(CHUNK):
            sha256.update(chunk)
            writer.write(chunk)
            size += len(chunk)
    return size, sha256.hexdigest()


def _check(source: Path, expected: str, found: str) -> None:
    if found != expected:
        sentence = (
            f"{source} is not the model that was asked for: expected sha256 {expected}, found {found}; "
            "the file was changed after it was packaged, or the digest in the spec is wrong"
        )
        raise FetchError(DIGEST_MISMATCH, "DigestMismatch", sentence)


def run(environ: Mapping[str, str]) -> int:
    """Fetch what the environment names and write the termination message; return the exit code."""
    source = Path(required(environ, "LAMPLIGHTER_MODEL_PATH"))
    digest = required(environ, "LAMPLIGHTER_MODEL_SHA256").lower().removeprefix("sha256:")
    name = required(environ, "LAMPLIGHTER_MODEL_NAME")
    store = Path(required(environ, "LAMPLIGHTER_MODEL_STORE"))
    try:
        size = fetch(source, digest, store / f"{name}.mar")
    except FetchError as error:
        return termination.fail(environ, PROGRAM, error.code, error.reason, str(error))
    termination.write(termination.render("Fetched", sha256=digest, sizeBytes=size), environ)
    print(f"{PROGRAM}: {source}, {size} bytes, sha256 {digest}")
    return 0


def main() -> int:
    """Entry point of the console script."""
    try:
        return run(os.environ)
    except ConfigurationError as error:
        return termination.fail(os.environ, PROGRAM, CONFIGURATION_ERROR, "ConfigurationError", str(error))
