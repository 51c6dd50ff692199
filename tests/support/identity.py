"""Tokens for tests, and the JWKS file that verifies them."""

import json
import time
from pathlib import Path
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER: Final = "https://tandem.test"
AUDIENCE: Final = "tandem-test"
EVERYTHING: Final = (
    "users:read:all users:write:all orders:read:all orders:write:all products:write "
    "users:read users:write orders:read orders:write"
)


class Identity:
    """Signs tokens with a generated key. `jwks_url` is a file with its public key."""

    def __init__(self, directory: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        path = directory / "jwks.json"
        path.write_text(json.dumps({"keys": [{**public, "kid": "test", "alg": "ES256"}]}))
        self.jwks_url = path.as_uri()

    def token(self, sub: str = "tester", scope: str = EVERYTHING, **claims: object) -> str:
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "scope": scope, "exp": now + 3600}
        return jwt.encode({**payload, **claims}, self._key, "ES256", headers={"kid": "test"})

    def headers(self, sub: str = "tester", scope: str = EVERYTHING) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(sub, scope)}"}
