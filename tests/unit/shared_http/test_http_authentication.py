"""Which tokens are accepted."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.http.authentication import Authenticator
from shared.http.caller import Caller
from shared.http.jwks import KeySet
from shared.http.problems import Problem

Signers = dict[str, Any]
Jwks = Callable[..., bytes]


async def authenticator(folder: Path, document: bytes, **more: Any) -> Authenticator:
    path = folder / "jwks.json"
    path.write_bytes(document)
    keys = KeySet(str(path))
    await keys.start()
    return Authenticator(keys, issuer="shop", audience="tandem", **more)


@pytest.fixture
async def auth(tmp_path: Path, signers: Signers, jwks: Jwks) -> Authenticator:
    known = [signers[name] for name in ("rsa", "ec", "ec384", "ed")]
    return await authenticator(tmp_path, jwks(*known))


async def rejection(auth: Authenticator, authorization: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        await auth.authenticate(authorization)
    assert caught.value.name == "unauthorized"
    return caught.value


@pytest.mark.parametrize("name", ["rsa", "ec", "ec384", "ed"])
async def test_a_good_token_names_the_caller(
    auth: Authenticator, signers: Signers, name: str
) -> None:
    bearer = signers[name].bearer(scope="orders:read users:read")
    caller = await auth.authenticate(bearer)
    assert caller == Caller("ada", frozenset({"orders:read", "users:read"}))
    assert await auth.authenticate(bearer) is caller


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "PS512"])
async def test_an_rsa_key_fits_the_algorithms_of_its_type(
    auth: Authenticator, signers: Signers, algorithm: str
) -> None:
    assert await auth.authenticate(signers["rsa"].bearer(algorithm=algorithm))


async def test_the_algorithm_that_a_jwk_names_is_the_only_one(
    tmp_path: Path, signers: Signers
) -> None:
    document = json.dumps({"keys": [{**signers["rsa"].jwk, "alg": "RS256"}]}).encode()
    auth = await authenticator(tmp_path, document)
    assert await auth.authenticate(signers["rsa"].bearer())
    await rejection(auth, signers["rsa"].bearer(algorithm="PS256"))


async def test_the_scheme_is_case_insensitive(auth: Authenticator, signers: Signers) -> None:
    assert await auth.authenticate(f"bEARER {signers['ec'].token()}".encode())


async def test_another_scheme_is_rejected_without_an_error_code(auth: Authenticator) -> None:
    problem = await rejection(auth, b"Basic YTpi")
    assert problem.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": 1},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": 1e400},
        {"iss": None},
        {"iss": "another"},
        {"iss": ["shop"]},
        {"aud": None},
        {"aud": "another"},
        {"aud": []},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"scope": ["orders:read"]},
        {"scope": 7},
        {"nbf": 4102444800},
        {"iat": 4102444800},
    ],
)
async def test_a_token_with_a_bad_claim_is_rejected(
    auth: Authenticator, signers: Signers, claims: dict[str, Any]
) -> None:
    if claims.get("iss") == ["shop"]:
        token = _resigned(signers["ec"], claims)
    else:
        token = signers["ec"].token(**claims)
    problem = await rejection(auth, f"Bearer {token}".encode())
    assert problem.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_an_audience_may_be_one_of_several(auth: Authenticator, signers: Signers) -> None:
    assert await auth.authenticate(signers["ec"].bearer(aud=["other", "tandem"]))


async def test_a_token_without_scope_has_none(auth: Authenticator, signers: Signers) -> None:
    assert await auth.authenticate(signers["ec"].bearer()) == Caller("ada", frozenset())


def _part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _resigned(signer: Any, claims: dict[str, Any]) -> str:
    from jwt.api_jws import PyJWS

    good = {"iss": "shop", "aud": "tandem", "sub": "ada", "exp": int(time.time()) + 600}
    payload = json.dumps({**good, **claims}).encode()
    return PyJWS().encode(payload, signer.private, signer.algorithm, {"kid": signer.kid})


async def test_an_unsigned_token_is_rejected(auth: Authenticator) -> None:
    claims = {"iss": "shop", "aud": "tandem", "sub": "ada", "exp": int(time.time()) + 600}
    for algorithm in ("none", "None", ""):
        token = f"{_part({'alg': algorithm, 'kid': 'rsa'})}.{_part(claims)}."
        await rejection(auth, f"Bearer {token}".encode())


async def test_a_public_key_is_no_shared_secret(auth: Authenticator, signers: Signers) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    secret = signers["rsa"].private.public_key()
    pem = secret.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": "shop", "aud": "tandem", "sub": "ada", "exp": int(time.time()) + 600}
    signed = f"{_part({'alg': 'HS256', 'kid': 'rsa'})}.{_part(claims)}"
    digest = hmac.digest(pem, signed.encode(), "sha256")
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    await rejection(auth, f"Bearer {signed}.{signature}".encode())


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "..", "é.é.é", "\x00", "." * 5000, "W10.W10.W10", "[" * 9000]
)
async def test_what_is_no_token_is_rejected(auth: Authenticator, token: str) -> None:
    await rejection(auth, f"Bearer {token}".encode())


async def test_odd_token_headers_are_rejected(auth: Authenticator) -> None:
    for header in ({}, {"alg": ["RS256"]}, {"alg": "RS256", "kid": 7}, {"alg": "RS256", "kid": {}}):
        await rejection(auth, f"Bearer {_part(header)}.e30.AAAA".encode())
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    await rejection(auth, f"Bearer {deep}.e30.AAAA".encode())


async def test_another_keys_signature_is_rejected(auth: Authenticator, signers: Signers) -> None:
    await rejection(auth, signers["stranger"].bearer(kid="ec"))
    await rejection(auth, signers["ec"].bearer(kid="rsa"))
    await rejection(auth, signers["ec"].bearer()[:-6] + b"AAAAAA")


async def test_without_kid_the_only_key_that_fits_is_taken(
    auth: Authenticator, signers: Signers
) -> None:
    assert await auth.authenticate(signers["ec"].bearer(kid=None))


async def test_without_kid_two_keys_that_fit_are_one_too_many(
    tmp_path: Path, signers: Signers, jwks: Jwks
) -> None:
    auth = await authenticator(tmp_path, jwks(signers["ec"], signers["stranger"]))
    await rejection(auth, signers["ec"].bearer(kid=None))


async def test_a_remembered_token_still_expires(
    tmp_path: Path, signers: Signers, jwks: Jwks, clock: Any
) -> None:
    clock.now = time.time()
    auth = await authenticator(tmp_path, jwks(signers["ec"]), clock=clock)
    bearer = signers["ec"].bearer(exp=int(clock.now) + 600)
    first = await auth.authenticate(bearer)
    assert await auth.authenticate(bearer) is first
    clock.now += 606
    assert await auth.authenticate(bearer) is not first  # PyJWT has its own clock


async def test_a_token_of_a_withdrawn_key_is_rejected(
    tmp_path: Path, signers: Signers, jwks: Jwks
) -> None:
    auth = await authenticator(tmp_path, jwks(signers["ec"]))
    bearer = signers["ec"].bearer()
    assert await auth.authenticate(bearer)
    (tmp_path / "jwks.json").write_bytes(jwks(signers["stranger"]))
    assert await auth.authenticate(signers["stranger"].bearer())  # unknown kid: the file is read
    await rejection(auth, bearer)


async def test_what_is_remembered_is_bounded(
    auth: Authenticator, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.authentication._MAX_REMEMBERED_BYTES", 8_000)
    for length in (100, 200, 300, 3000, 100, 200, 5000):
        await auth.authenticate(signers["ec"].bearer(jti="x" * length))
    held = sum(len(token) + 1024 for token in auth._remembered)
    assert held == auth._remembered_bytes <= 8_000
    assert len(auth._remembered) == 1


async def test_a_token_is_remembered_once_however_it_is_padded(
    auth: Authenticator, signers: Signers
) -> None:
    token = signers["ec"].bearer().removeprefix(b"Bearer ")
    first = await auth.authenticate(b"Bearer " + token)
    for blanks in range(1, 50):
        padded = b"bearer " + b" " * blanks + token + b" " * blanks
        assert auth.recall(padded) is first
        assert await auth.authenticate(padded) is first
    assert len(auth._remembered) == 1


async def test_an_oversized_token_is_unauthorized(auth: Authenticator, signers: Signers) -> None:
    await rejection(auth, signers["ec"].bearer(jti="x" * 8_000))


async def test_clocks_may_differ_by_five_seconds(auth: Authenticator, signers: Signers) -> None:
    now = int(time.time())
    for claims in ({"iat": now + 3}, {"nbf": now + 3}, {"exp": now - 3}):
        assert await auth.authenticate(signers["ec"].bearer(**claims))
    for claims in ({"iat": now + 9}, {"nbf": now + 9}, {"exp": now - 9}):
        await rejection(auth, signers["ec"].bearer(**claims))


@pytest.mark.parametrize("sub", ["a", "x" * 255, "auth0|7 b", "~"])
async def test_a_subject_is_printable_ascii(
    auth: Authenticator, signers: Signers, sub: str
) -> None:
    assert (await auth.authenticate(signers["ec"].bearer(sub=sub))).sub == sub


@pytest.mark.parametrize("sub", ["x" * 256, "a\0", "a\n", "a\x7f", "é", "\ud800", "\U0001f375"])
async def test_another_subject_is_unauthorized(
    auth: Authenticator, signers: Signers, sub: str
) -> None:
    await rejection(auth, f"Bearer {_resigned(signers['ec'], {'sub': sub})}".encode())


@pytest.mark.parametrize("named", [None, "EdDSA", "Ed25519"])
@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
async def test_both_names_of_the_algorithm_of_ed25519_are_known(
    tmp_path: Path, signers: Signers, algorithm: str, named: str | None
) -> None:
    signer = signers["ed"]
    jwk = {**signer.jwk, "alg": named} if named else signer.jwk
    auth = await authenticator(tmp_path, json.dumps({"keys": [jwk]}).encode())
    claims = {"iss": "shop", "aud": "tandem", "sub": "ada", "exp": int(time.time()) + 600}
    signed = f"{_part({'alg': algorithm, 'kid': 'ed'})}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(signer.private.sign(signed.encode())).decode()
    token = f"{signed}.{signature.rstrip('=')}"
    assert (await auth.authenticate(f"Bearer {token}".encode())).sub == "ada"
