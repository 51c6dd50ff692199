"""The signing key of this installation, and the tokens that it signs."""

import base64
import hashlib
import json
import time
import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from deploy.local.secrets import write_private

ISSUER = "https://tandem.local"
AUDIENCE = "tandem"
SUBJECT = "local"
TWELVE_HOURS = 12 * 3600


def ensure_keys(private_key: Path, jwks: Path) -> None:
    """Creates the private key if it is missing, and writes the JWKS with its public key."""
    if not private_key.exists():
        private_key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        write_private(private_key, pem.decode())
    keys = json.dumps({"keys": [public_jwk(_load(private_key))]}) + "\n"
    if not jwks.exists() or jwks.read_text() != keys:
        write_private(jwks, keys)


def issue_token(
    private_key: Path,
    scope: str,
    subject: str = SUBJECT,
    expires_in: int = TWELVE_HOURS,
    audience: str = AUDIENCE,
    issuer: str = ISSUER,
) -> str:
    """A token (JWT, ES256) with these scopes, valid from now for `expires_in` seconds."""
    key = _load(private_key)
    now = int(time.time())
    claims = {"iss": issuer, "aud": audience, "sub": subject, "scope": scope}
    claims |= {"jti": str(uuid.uuid4())}
    times = {"iat": now, "exp": now + expires_in}
    return jwt.encode(claims | times, key, "ES256", headers={"kid": public_jwk(key)["kid"]})


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """The public key as a JWK; its `kid` is its thumbprint (RFC 7638)."""
    numbers = key.public_key().public_numbers()
    x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    required = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    thumbprint = _base64(hashlib.sha256(canonical.encode()).digest())
    return required | {"use": "sig", "alg": "ES256", "kid": thumbprint}


def _load(private_key: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(private_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
