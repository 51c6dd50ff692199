"""The public keys of a JSON Web Key Set: only asymmetric ones, each with its algorithms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

log = structlog.stdlib.get_logger(__name__)

# Public members only: a private key that was published by mistake is read as its public half.
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
_ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
_MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key; `algorithms` are those of its type, or the one its JWK names."""

    kid: str | None
    algorithms: frozenset[str]
    key: jwt.PyJWK


def parse_keys(document: bytes) -> tuple[VerificationKey, ...]:
    """The usable keys of a JWKS. Raises ValueError if the document is not one."""
    parsed = orjson.loads(document)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("keys"), list):
        raise ValueError("the document is not a JSON Web Key Set")
    keys = []
    for index, entry in enumerate(parsed["keys"]):
        try:
            keys.append(_parse_key(entry))
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            # PyJWT's messages quote the key; only this module's messages are logged.
            reason = str(error) if type(error) is ValueError else "it cannot be read"
            log.warning("jwks_key_skipped", index=index, error=reason)
    return tuple(keys)


def _parse_key(entry: Any) -> VerificationKey:
    if not isinstance(entry, dict):
        raise ValueError("it is no object")
    kid, kty, crv = entry.get("kid"), entry.get("kty"), entry.get("crv")
    if kid is not None and not isinstance(kid, str):
        raise ValueError("its kid is no string")
    algorithms = _ALGORITHMS.get((str(kty), None if kty == "RSA" else str(crv)))
    if algorithms is None:
        raise ValueError("its type is not supported")
    named = entry.get("alg")
    if named is not None and named not in algorithms:
        raise ValueError("its alg does not fit its type")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        raise ValueError("it is not meant for signatures")
    public = {name: entry[name] for name in _MEMBERS[str(kty)] if name in entry}
    key = jwt.PyJWK(public, algorithms[0] if kty == "OKP" else named or algorithms[0])
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < _MIN_RSA_BITS:
        raise ValueError(f"an RSA key needs {_MIN_RSA_BITS} bits")
    # The two names of an OKP key's algorithm mean the same.
    usable = [named] if named and kty != "OKP" else algorithms
    return VerificationKey(kid, frozenset(usable), key)
