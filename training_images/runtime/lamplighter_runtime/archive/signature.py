"""Verifying an OpenSSF Model Signing signature of one file: who made the archive, not only what its bytes are.

A signature is a Sigstore bundle (JSON, v0.3) around a DSSE envelope (github.com/secure-systems-lab/dsse, protocol v1)
around an in-toto statement whose predicate lists the signed files with their digests. Signatures made with a private
key are verified; those of Sigstore's keyless signing would need its transparency log, thus the network.
"""

import base64
import json
from typing import Any

SUFFIX = ".sig"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT = "application/vnd.in-toto+json"
PREDICATE = "https://model_signing/signature/v1.0"
LARGEST = 1 << 20  # bytes; a signature of one file has about 1,500


class SignatureError(Exception):
    """The signature does not hold for these bytes and this key."""


class KeyUnusableError(Exception):
    """The public key cannot be read, or is of a kind that Model Signing does not use."""


def verify(signature: bytes, public_key: str, sha256: str) -> None:
    """Return if the file with this SHA-256 (hexadecimal) was signed with the private key that belongs to `public_key`.

    Raises:
        SignatureError: it was not, or the signature is of another kind; the message says which.
        KeyUnusableError: `public_key` is not the PEM of an elliptic curve key.
    """
    payload, signed = _envelope(signature)
    _check_key(public_key, _encoded(payload), signed)
    found = _signed_digest(payload)
    if found != sha256:
        raise SignatureError(f"it was made for a file with sha256 {found}, this one has {sha256}")


def _envelope(signature: bytes) -> tuple[bytes, bytes]:
    try:
        bundle: Any = json.loads(signature)
        kind, envelope = bundle["mediaType"], bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signed = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        if (kind, envelope["payloadType"]) != (BUNDLE, STATEMENT):
            raise SignatureError(f"it is a {kind!r} of {envelope['payloadType']!r}, not one that model_signing writes")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SignatureError("the file is not a Sigstore bundle as model_signing writes it") from error
    return payload, signed


def _encoded(payload: bytes) -> bytes:
    """Return what DSSE signs: its pre-authentication encoding of the payload and its type."""
    return b"DSSEv1 %d %s %d %s" % (len(STATEMENT), STATEMENT.encode(), len(payload), payload)


def _check_key(public_key: str, message: bytes, signed: bytes) -> None:
    # Imported only here, for deployments that require a signature: the rest of the runtime needs no package.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    hashes = {"secp256r1": SHA256(), "secp384r1": SHA384(), "secp521r1": SHA512()}
    try:
        key = load_pem_public_key(public_key.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusableError(f"it is not a public key in PEM format: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in hashes:
        raise KeyUnusableError("it is not a key on one of the elliptic curves P-256, P-384 and P-521")
    try:
        key.verify(signed, message, ec.ECDSA(hashes[key.curve.name]))
    except InvalidSignature:
        raise SignatureError("it was made with another key, or was changed afterwards") from None


def _signed_digest(payload: bytes) -> str:
    """Return the SHA-256 of the one file that the statement is about."""
    try:
        statement: Any = json.loads(payload)
        predicate = statement["predicate"]
        method, resources = predicate["serialization"]["method"], predicate["resources"]
        if statement["predicateType"] != PREDICATE:
            raise SignatureError(f"its predicate is {statement['predicateType']!r}, not {PREDICATE}")
        if (method, len(resources), resources[0]["algorithm"]) != ("files", 1, "sha256"):
            raise SignatureError("it does not cover one file by its SHA-256: sign the archive alone, with the defaults")
        return str(resources[0]["digest"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SignatureError("its payload is not a statement about a model") from error
