"""Only the promised bytes get into the store."""

import hashlib
import json
from pathlib import Path

import pytest

from lamplighter_runtime import fetch, termination

CONTENT = b"model" * 1_000_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Pod:
    def __init__(self, folder: Path) -> None:
        self.source, self.store, self.log = folder / "model.mar", folder / "store", folder / "log"
        self.source.write_bytes(CONTENT)
        self.store.mkdir()

    def run(self, digest: str = DIGEST) -> tuple[int, dict]:
        environ = {
            "LAMPLIGHTER_MODEL_PATH": str(self.source),
            "LAMPLIGHTER_MODEL_SHA256": digest,
            "LAMPLIGHTER_MODEL_NAME": "digits",
            "LAMPLIGHTER_MODEL_STORE": str(self.store),
            termination.PATH_VARIABLE: str(self.log),
        }
        return fetch.run(environ), json.loads(self.log.read_text())


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
