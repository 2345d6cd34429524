"""Only the promised bytes get into the store."""

import hashlib
import json
from pathlib import Path

import pytest

from lamplighter_runtime.archive import fetch
from lamplighter_runtime.common import termination
from lamplighter_runtime.common.environment import ConfigurationError

SIGNED = Path(__file__).parent / "model-signing-1.1.1"
CONTENT = b"model" * 1_000_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Pod:
    def __init__(self, folder: Path) -> None:
        self.source, self.store, self.log = folder / "model.mar", folder / "store", folder / "log"
        self.source.write_bytes(CONTENT)
        self.store.mkdir()

    def run(self, digest: str = DIGEST, key: str | None = None) -> tuple[int, dict]:
        environ = {
            "LAMPLIGHTER_MODEL_PATH": str(self.source),
            "LAMPLIGHTER_MODEL_SHA256": digest,
            "LAMPLIGHTER_MODEL_NAME": "digits",
            "LAMPLIGHTER_MODEL_STORE": str(self.store),
            termination.PATH_VARIABLE: str(self.log),
        }
        signed = {} if key is None else {fetch.PUBLIC_KEY: key}
        return fetch.run(environ | signed, signed=key is not None), json.loads(self.log.read_text())


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.upper(), f"sha256:{DIGEST}"])
def test_the_right_digest_lets_the_archive_in(pod: Pod, digest: str):
    code, said = pod.run(digest)
    assert (code, said["reason"], said["sha256"]) == (0, "Fetched", DIGEST)
    assert (pod.store / "digits.mar").read_bytes() == CONTENT


def test_a_second_start_of_the_pod_fetches_again(pod: Pod):
    assert pod.run()[0] == pod.run()[0] == 0


def test_a_wrong_digest_leaves_nothing_in_the_store(pod: Pod):
    code, said = pod.run("0" * 64)
    assert (code, said["reason"]) == (66, "DigestMismatch")
    assert f"expected sha256 {'0' * 64}, found {DIGEST}" in said["message"]
    assert list(pod.store.iterdir()) == []


def test_a_missing_archive_is_named(pod: Pod):
    pod.source.unlink()
    code, said = pod.run()
    assert (code, said["reason"]) == (67, "ModelNotFound")
    assert str(pod.source) in said["message"]


def test_a_store_that_cannot_be_written_is_not_a_missing_model(pod: Pod):
    pod.store.rmdir()
    code, said = pod.run()
    assert (code, said["reason"]) == (74, "StoreFailed")


def signed(pod: Pod) -> str:
    """A signed archive, and its digest."""
    pod.source.write_bytes((SIGNED / "model.mar").read_bytes())
    pod.source.with_name("model.mar.sig").write_bytes((SIGNED / "prime256v1.sig").read_bytes())
    return hashlib.sha256(pod.source.read_bytes()).hexdigest()


def key(name: str) -> str:
    return (SIGNED / f"{name}.pub").read_text()


def test_a_signature_that_holds_lets_the_archive_in(pod: Pod):
    digest = signed(pod)
    assert pod.run(digest, key("prime256v1"))[0] == 0
    assert [path.name for path in pod.store.iterdir()] == ["digits.mar"]


def test_an_archive_without_the_signature_that_is_asked_for_does_not_get_in(pod: Pod):
    code, said = pod.run(DIGEST, key("prime256v1"))
    assert (code, said["reason"]) == (71, "SignatureMissing")
    assert "model.mar.sig: No such file or directory" in said["message"]
    assert list(pod.store.iterdir()) == []


def test_an_archive_signed_with_another_key_is_refused(pod: Pod):
    digest = signed(pod)
    code, said = pod.run(digest, key("secp384r1"))
    assert (code, said["reason"]) == (72, "SignatureMismatch")
    assert list(pod.store.iterdir()) == []


def test_a_signature_that_is_not_required_is_not_read(pod: Pod):
    pod.source.with_name("model.mar.sig").write_text("nonsense")
    assert pod.run()[0] == 0


@pytest.mark.parametrize("unusable", ["", "nonsense"])
def test_a_key_that_cannot_be_used_is_a_matter_of_configuration(pod: Pod, unusable: str):
    digest = signed(pod)
    with pytest.raises(ConfigurationError):
        pod.run(digest, unusable)
    assert list(pod.store.iterdir()) == []
