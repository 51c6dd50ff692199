"""Bearer tokens: verified once, remembered until they expire or the keys change."""

import re
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import jwt

from shared.http.caller import Caller
from shared.http.jwks import KeySet
from shared.http.keys import VerificationKey
from shared.http.problems import unauthorized

ALGORITHMS: Final = frozenset(
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split()
)
_JWT_NAMES: Final = {"Ed25519": "EdDSA"}
"""RFC 9864 names the algorithm by its curve; PyJWT knows the older name alone."""
_REQUIRED: Final = ["exp", "iss", "aud", "sub"]
_SUB: Final = re.compile(r"[\x20-\x7e]{1,255}")
_MAX_EXPIRY: Final = 2**53  # the last second that a float can represent exactly
_MAX_TOKEN_BYTES: Final = 8 * 1024
_MAX_REMEMBERED_BYTES: Final = 8 * 1024 * 1024
_ENTRY_BYTES: Final = 1024
"""What a remembered caller takes besides its token: its scopes are a part of the token."""


class Authenticates(Protocol):
    """What the dispatcher needs of an authenticator."""

    def recall(self, authorization: bytes) -> Caller | None:
        """The caller of a header that was verified before and still is valid."""

    async def authenticate(self, authorization: bytes) -> Caller:
        """The caller that the Authorization header names. Raises 401."""


class Authenticator:
    """Identifies callers by their tokens. `leeway_s` is the difference between clocks that it
    tolerates. The cache is keyed by the token alone and bounded in bytes.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str,
        audience: str,
        leeway_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._jwt = jwt.PyJWT()
        for name, known in _JWT_NAMES.items():
            if name not in self._jwt._jws.get_algorithms():
                algorithm = self._jwt._jws.get_algorithm_by_name(known)
                self._jwt._jws.register_algorithm(name, algorithm)
        self._clock = clock
        self._remembered: dict[bytes, tuple[Caller, float]] = {}
        self._remembered_bytes = 0
        self._generation = keys.generation

    def recall(self, authorization: bytes) -> Caller | None:
        """The caller of a header that was verified before and still is valid."""
        if self._generation != self._keys.generation:
            self._remembered.clear()
            self._remembered_bytes = 0
            self._generation = self._keys.generation
        scheme, _, token = authorization.partition(b" ")
        if scheme != b"Bearer" and scheme.lower() != b"bearer":
            return None
        known = self._remembered.get(token.strip(b" \t"))
        return known[0] if known is not None and self._clock() < known[1] else None

    async def authenticate(self, authorization: bytes) -> Caller:
        """The caller that the Authorization header names. Raises 401.

        Waits for the key set, for 2 s at most, when the token's key is not known yet.
        """
        return self.recall(authorization) or await self._verify(_token_of(authorization))

    async def _verify(self, sent: bytes) -> Caller:
        if len(sent) > _MAX_TOKEN_BYTES:
            raise unauthorized("the token is too long", token_sent=True)
        token = sent.decode("latin-1")
        try:
            kid, algorithm = _header_of(token)
            if kid is not None and not self._keys.knows(kid):
                await self._keys.fetch_unknown(kid)
            generation = self._keys.generation
            claims = self._claims(token, kid, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise unauthorized("the token is not valid", token_sent=True) from None
        scopes = frozenset(claims.get("scope", "").split())
        caller = Caller(claims["sub"], scopes, claims["exp"])
        if generation == self._generation:
            self._remember(sent, caller, claims["exp"] + self._leeway_s)
        return caller

    def _claims(self, token: str, kid: str | None, algorithm: str) -> dict[str, Any]:
        keys = self._keys.fitting(kid, algorithm)
        if not keys or (kid is None and len(keys) > 1):
            raise jwt.InvalidKeyError
        claims = self._decode(token, keys, algorithm)
        if not _SUB.fullmatch(claims["sub"]) or not isinstance(claims.get("scope", ""), str):
            raise jwt.InvalidTokenError
        expiry = claims["exp"]
        if isinstance(expiry, bool) or not isinstance(expiry, int | float) or expiry > _MAX_EXPIRY:
            raise jwt.InvalidTokenError
        return claims

    def _decode(self, token: str, keys: list[VerificationKey], algorithm: str) -> dict[str, Any]:
        for key in keys[:-1]:  # several keys of one id: the last one's error counts
            try:
                return self._decode_with(token, key, algorithm)
            except jwt.InvalidSignatureError:
                continue
        return self._decode_with(token, keys[-1], algorithm)

    def _decode_with(self, token: str, key: VerificationKey, algorithm: str) -> dict[str, Any]:
        # The algorithm is the token's, but one that the key's own type and JWK allow.
        return self._jwt.decode(
            token,
            key.key.key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway_s,
            options={"require": _REQUIRED},
        )

    def _remember(self, token: bytes, caller: Caller, until: float) -> None:
        if token not in self._remembered:
            self._remembered_bytes += len(token) + _ENTRY_BYTES
        self._remembered[token] = (caller, until)
        while self._remembered_bytes > _MAX_REMEMBERED_BYTES:
            oldest = next(iter(self._remembered))
            del self._remembered[oldest]
            self._remembered_bytes -= len(oldest) + _ENTRY_BYTES


def _token_of(authorization: bytes) -> bytes:
    """The bearer token without the blanks around it. Raises 401."""
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer":
        raise unauthorized("the Authorization header needs the scheme Bearer", token_sent=False)
    return token.strip(b" \t")


def _header_of(token: str) -> tuple[str | None, str]:
    header = jwt.get_unverified_header(token)
    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS or not (kid is None or isinstance(kid, str)):
        raise jwt.InvalidAlgorithmError
    return kid, algorithm
