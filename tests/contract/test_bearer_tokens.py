"""Bearer tokens: signature, algorithm, issuer, audience and expiry are checked."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contract.client import AllTokens
from tests.contract.response_checks import check_problem
from tests.support.identity import AUDIENCE, EVERYTHING, ISSUER, Identity


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "tester", "scope": EVERYTHING}
    return {**claims, "exp": now + 3600, **changed}


def _unsigned(header: dict[str, Any]) -> str:
    return f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(_claims()).encode())}."


def _hs256_with_the_public_key(identity: Identity) -> list[str]:
    """Signed with each text that a careless verifier could use as the secret."""
    text = Path(urlparse(identity.jwks_url).path).read_text()
    key = json.loads(text)["keys"][0]
    pem = jwt.PyJWK(key).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [text.encode(), json.dumps(key).encode(), pem, key["x"].encode()]
    tokens = []
    for secret in secrets:
        signed = _unsigned({"alg": "HS256", "typ": "JWT", "kid": "test"}).rstrip(".")
        digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        tokens.append(f"{signed}.{_b64(digest)}")
    return tokens


def _bad_tokens(identity: Identity) -> dict[str, str]:
    now = int(time.time())
    good = identity.token()
    head, claims, signature = good.split(".")
    other = ec.generate_private_key(ec.SECP256R1())
    unknown_key = jwt.encode(_claims(), other, "ES256", headers={"kid": "test"})
    return {
        "expired": identity.token(exp=now - 3600),
        "not yet valid": identity.token(nbf=now + 3600),
        "wrong audience": identity.token(aud="another"),
        "no audience": identity.token(aud=None),
        "wrong issuer": identity.token(iss="https://another.test"),
        "no subject": identity.token(sub=""),
        "unknown key": unknown_key,
        "unknown kid": jwt.encode(_claims(), other, "ES256", headers={"kid": "unknown"}),
        "key in the header": jwt.encode(
            _claims(),
            other,
            "ES256",
            headers={"jwk": json.loads(jwt.algorithms.ECAlgorithm.to_jwk(other.public_key()))},
        ),
        "changed claims": f"{head}.{_b64(json.dumps(_claims(sub='x')).encode())}.{signature}",
        "truncated": good[:-8],
        "no signature": f"{head}.{claims}.",
        "nonsense": "nonsense",
        "alg none": _unsigned({"alg": "none", "typ": "JWT"}),
        "alg None": _unsigned({"alg": "None", "typ": "JWT", "kid": "test"}),
        "deep": f"{_b64(b'[' * 5000)}.{claims}.{signature}",
        "expiry of another type": identity.token(exp="tomorrow"),
        "scope of another type": identity.token(scope=["users:read"]),  # type: ignore[arg-type]
        **{f"HS256 {n}": t for n, t in enumerate(_hs256_with_the_public_key(identity))},
    }


async def test_a_token_that_is_not_valid_is_401_everywhere(
    shop: AllTokens, identity: Identity
) -> None:
    product = await shop.product()
    assert (await shop.read(f"/v1/products/{product}")).status_code == 200
    for kind, token in _bad_tokens(identity).items():
        headers = {"Authorization": f"Bearer {token}"}
        body = {"quantity": 1}
        for response in (
            await shop.query(f"/v1/products/{product}", "", **headers),
            await shop.query("/v1/products", "", **headers),
            await shop.query("/v1/dashboard", "", **headers),
            await shop.send("POST", f"/v1/products/{product}/restock", body, **headers),
        ):
            assert response.status_code == 401, kind
            check_problem(response, 401, "unauthorized")
            assert token not in response.text


@pytest.mark.parametrize("value", ["", "Basic YTpi", "Bearer", "bearer x", "x" * 5000])
async def test_a_header_without_a_bearer_token_is_401(shop: AllTokens, value: str) -> None:
    check_problem(await shop.query("/v1/dashboard", "", Authorization=value), 401, "unauthorized")
    check_problem(await shop.query("/v1/products", "", Authorization=value), 401, "unauthorized")


@pytest.mark.parametrize(
    "expiry", [10**18, 10**30, 10**400, 1e300], ids=["1e18", "1e30", "1e400", "a float"]
)
async def test_an_expiry_of_any_size_gives_no_500(
    shop: AllTokens, identity: Identity, expiry: float
) -> None:
    headers = {"Authorization": f"Bearer {identity.token(exp=expiry)}"}
    for _ in range(2):
        assert (await shop.query("/v1/dashboard", "", **headers)).status_code in (200, 401)


async def test_several_audiences_and_any_case_of_the_scheme_are_accepted(
    shop: AllTokens, identity: Identity
) -> None:
    token = identity.token(aud=["another", AUDIENCE])
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = await shop.query("/v1/dashboard", "", Authorization=f"{scheme} {token}")
        assert response.status_code == 200
