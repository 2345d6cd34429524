"""Signatures that the model_signing tool made are verified; see model-signing-1.1.1/README.md."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.archive.signature import KeyUnusableError, SignatureError, verify

MADE = Path(__file__).parent / "model-signing-1.1.1"
DIGEST = hashlib.sha256((MADE / "model.mar").read_bytes()).hexdigest()
KEY = (MADE / "prime256v1.pub").read_text()
SIGNATURE = (MADE / "prime256v1.sig").read_bytes()


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1"])
def test_a_signature_of_the_tool_holds(curve: str):
    verify((MADE / f"{curve}.sig").read_bytes(), (MADE / f"{curve}.pub").read_text(), DIGEST)


def test_another_file_is_refused():
    with pytest.raises(SignatureError, match=f"it was made for a file with sha256 {DIGEST}, this one has 0000"):
        verify(SIGNATURE, KEY, "0" * 64)


def test_another_signer_is_refused():
    with pytest.raises(SignatureError, match="it was made with another key"):
        verify(SIGNATURE, (MADE / "secp384r1.pub").read_text(), DIGEST)


def test_a_changed_statement_is_refused():
    bundle = json.loads(SIGNATURE)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(DIGEST.encode(), b"0" * 64)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(SignatureError, match="it was made with another key, or was changed afterwards"):
        verify(json.dumps(bundle).encode(), KEY, "0" * 64)


def test_a_signature_of_a_folder_is_none_of_the_archive():
    with pytest.raises(SignatureError, match="sign the archive alone"):
        verify((MADE / "folder.sig").read_bytes(), KEY, DIGEST)


def test_a_bundle_of_another_kind_is_told_apart():
    bundle = json.loads(SIGNATURE) | {"mediaType": "application/vnd.dev.sigstore.bundle.v0.1+json"}
    with pytest.raises(SignatureError, match="not one that model_signing writes"):
        verify(json.dumps(bundle).encode(), KEY, DIGEST)


@pytest.mark.parametrize("key", ["", "not a key", (MADE / "rsa.pub").read_text()])
def test_a_key_that_cannot_be_used_is_no_wrong_signature(key: str):
    with pytest.raises(KeyUnusableError):
        verify(SIGNATURE, key, DIGEST)


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()))
def test_no_other_bytes_hold(content: bytes):
    with pytest.raises(SignatureError):
        verify(content, KEY, DIGEST)


@given(st.integers(0, len(SIGNATURE) - 1), st.integers(1, 255))
def test_no_changed_byte_makes_a_signature_of_another_file(position: int, difference: int):
    changed = bytearray(SIGNATURE)
    changed[position] ^= difference
    with pytest.raises(SignatureError):
        verify(bytes(changed), KEY, "0" * 64)
