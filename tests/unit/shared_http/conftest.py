"""Calls an ASGI application as a server would; makes keys and tokens; a clock that stands still."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Headers = list[tuple[bytes, bytes]]


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes
    messages: list[dict[str, Any]]

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json()["type"]).rpartition("/")[2]


Call = Callable[..., Awaitable[Answered]]


@pytest.fixture
def call() -> Call:
    """`await call(app, "GET", "/path", headers=[...], body=b"" or [b"part", ...])`"""

    async def send_request(
        app: Any,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        body: bytes | Sequence[bytes] = b"",
        leaves: bool = False,
    ) -> Answered:
        parts = [body] if isinstance(body, bytes) else list(body)
        waiting: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": leaves or i + 1 < len(parts)}
            for i, part in enumerate(parts)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": headers or [],
        }
        await app(scope, receive, send)
        return _answered(sent)

    return send_request


def _answered(sent: list[dict[str, Any]]) -> Answered:
    if not sent:
        return Answered(0, {}, b"", [])
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answered(sent[0]["status"], headers, body, sent)


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
