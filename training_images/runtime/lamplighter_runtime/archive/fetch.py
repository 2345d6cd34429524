"""lamplighter-fetch: copy the model archive into the pod, and accept it only with the expected digest.

An archive runs as code in TorchServe, so the digest, and the signature if the deployment requires one, are checked on
the very bytes that are copied.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from lamplighter_runtime.archive import signature
from lamplighter_runtime.common import termination
from lamplighter_runtime.common.environment import CONFIGURATION_ERROR, ConfigurationError, required

PROGRAM = "lamplighter-fetch"
DIGEST_MISMATCH = 66
MODEL_NOT_FOUND = 67
SIGNATURE_MISSING = 71
SIGNATURE_MISMATCH = 72
STORE_FAILED = 74  # EX_IOERR of sysexits.h
CHUNK = 1 << 20
PUBLIC_KEY = "LAMPLIGHTER_MODEL_PUBLIC_KEY"


class FetchError(Exception):
    """The archive was not accepted into the store; carries the exit code, and the reason for the operator."""

    def __init__(self, code: int, reason: str, sentence: str) -> None:
        """`sentence` says what happened."""
        super().__init__(sentence)
        self.code, self.reason = code, reason


def fetch(source: Path, digest: str, target: Path, public_key: str = "") -> int:
    """Copy `source` to `target` if its SHA-256 is `digest`; return the size in bytes. FetchError otherwise.

    With a public key (PEM) the signature beside `source` must hold, too.
    """
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
                if public_key:
                    _check_signature(source, found, public_key)
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
            f"{source} does not match the digest that the spec requires: expected sha256 {expected}, found {found}; "
            "either the file changed after it was packaged, or the digest in the spec is wrong"
        )
        raise FetchError(DIGEST_MISMATCH, "DigestMismatch", sentence)


def _check_signature(source: Path, digest: str, public_key: str) -> None:
    file = source.with_name(source.name + signature.SUFFIX)
    try:
        with file.open("rb") as reader:
            content = reader.read(signature.LARGEST)
    except OSError as error:
        sentence = (
            f"spec.model.signature requires a signature of {source}, but it cannot be read: {file}: "
            f"{error.strerror}. Sign it: model_signing sign key {source.name} --signature {file.name} --private_key ..."
        )
        raise FetchError(SIGNATURE_MISSING, "SignatureMissing", sentence) from error
    try:
        signature.verify(content, public_key, digest)
    except signature.SignatureError as error:
        sentence = f"{file} is not a signature of this archive by the key in spec.model.signature: {error}"
        raise FetchError(SIGNATURE_MISMATCH, "SignatureMismatch", sentence) from error
    except signature.KeyUnusableError as error:
        raise ConfigurationError(f"the key that spec.model.signature names cannot be used: {error}") from error


def run(environ: Mapping[str, str], *, signed: bool = False) -> int:
    """Fetch what the environment names and write the termination message; return the exit code."""
    source = Path(required(environ, "LAMPLIGHTER_MODEL_PATH"))
    digest = required(environ, "LAMPLIGHTER_MODEL_SHA256").lower().removeprefix("sha256:")
    name = required(environ, "LAMPLIGHTER_MODEL_NAME")
    store = Path(required(environ, "LAMPLIGHTER_MODEL_STORE"))
    public_key = required(environ, PUBLIC_KEY) if signed else ""
    try:
        size = fetch(source, digest, store / f"{name}.mar", public_key)
    except FetchError as error:
        return termination.fail(environ, PROGRAM, error.code, error.reason, str(error))
    termination.write(termination.render("Fetched", sha256=digest, sizeBytes=size), environ)
    print(f"{PROGRAM}: fetched {source}, {size} bytes, sha256 {digest}")
    return 0


def main(*, signed: bool = False) -> int:
    """Entry point of the console script."""
    try:
        return run(os.environ, signed=signed)
    except ConfigurationError as error:
        return termination.fail(os.environ, PROGRAM, CONFIGURATION_ERROR, "ConfigurationError", str(error))


def main_signed() -> int:
    """Entry point for a required signature: a name of its own, which images that cannot verify signatures lack."""
    return main(signed=True)
