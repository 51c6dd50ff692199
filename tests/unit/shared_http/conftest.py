"""Calls an application as the server does; makes keys and tokens; a clock that is set."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.http.connections import Application
from shared.http.framing import RequestHead
from shared.http.headers import Headers as RequestHeaders
from shared.http.messages import Response

Headers = list[tuple[bytes, bytes]]


@dataclass
class Received:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json()["type"]).rpartition("/")[2]


Call = Callable[..., Awaitable[Received]]


@pytest.fixture
def call() -> Call:
    """`await call(app, "GET", "/path", headers=[...], body=b"" or None, address="192.0.2.1")`"""

    async def send_request(
        app: Application,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        body: bytes | None = b"",
        address: str = "192.0.2.1",
    ) -> Received:
        head = RequestHead(method, path, b"", RequestHeaders(headers or []))
        response = await app.handle(head, body, address)
        assert isinstance(response, Response)
        names = {name.decode(): value.decode() for name, value in response.headers}
        return Received(response.status, names, response.body)

    return send_request


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Signer:
    """A private key with its JWK, and what a good token of it claims."""

    private: Any
    algorithm: str
    kid: str | None
    jwk: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        to_jwk: Any = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}[self.algorithm[0]]
        if self.algorithm == "EdDSA":
            to_jwk = OKPAlgorithm
        self.jwk = to_jwk.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk.pop("key_ops", None)
        if self.kid is not None:
            self.jwk["kid"] = self.kid

    def token(self, *, algorithm: str | None = None, kid: Any = ..., **claims: Any) -> str:
        good = {"iss": "shop", "aud": "tandem", "sub": "ada", "exp": int(time.time()) + 600}
        merged = {name: value for name, value in {**good, **claims}.items() if value is not None}
        chosen = self.kid if kid is ... else kid
        headers = {} if chosen is None else {"kid": chosen}
        return jwt.encode(merged, self.private, algorithm or self.algorithm, headers)

    def bearer(self, **claims: Any) -> bytes:
        return f"Bearer {self.token(**claims)}".encode()


def _rsa() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def signers() -> dict[str, Signer]:
    return {
        "rsa": Signer(_rsa(), "RS256", "rsa"),
        "ec": Signer(ec.generate_private_key(ec.SECP256R1()), "ES256", "ec"),
        "ec384": Signer(ec.generate_private_key(ec.SECP384R1()), "ES384", "ec384"),
        "ed": Signer(ed25519.Ed25519PrivateKey.generate(), "EdDSA", "ed"),
        "stranger": Signer(ec.generate_private_key(ec.SECP256R1()), "ES256", "stranger"),
    }


def jwks(*signers: Signer) -> bytes:
    return json.dumps({"keys": [signer.jwk for signer in signers]}).encode()


@pytest.fixture(name="jwks")
def jwks_fixture() -> Callable[..., bytes]:
    return jwks
