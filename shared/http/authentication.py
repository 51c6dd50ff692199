"""Bearer tokens: verified once, remembered until they expire or the keys change."""

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import jwt

from shared.http.caller import Caller
from shared.http.jwks import KeySet
from shared.http.keys import VerificationKey
from shared.http.problems import unauthorized

ALGORITHMS: Final = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
_REQUIRED: Final = ["exp", "iss", "aud", "sub"]
_LATEST: Final = 2**53  # The last second that a float tells from the next.
_MOST_REMEMBERED: Final = 4096


class Authenticates(Protocol):
    """What the dispatcher needs of an authenticator."""

    def recall(self, authorization: bytes) -> Caller | None:
        """The caller of a header that was verified before and still is valid."""

    async def authenticate(self, authorization: bytes) -> Caller:
        """The caller that the Authorization header names. Raises 401."""


class Authenticator:
    """Knows callers by their tokens. `leeway` is the seconds by which clocks may differ."""

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str,
        audience: str,
        leeway: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._clock = clock
        self._remembered: dict[bytes, tuple[Caller, float]] = {}
        self._generation = keys.generation

    def recall(self, authorization: bytes) -> Caller | None:
        """The caller of a header that was verified before and still is valid."""
        if self._generation != self._keys.generation:
            self._remembered.clear()
            self._generation = self._keys.generation
        known = self._remembered.get(authorization)
        return known[0] if known is not None and self._clock() < known[1] else None

    async def authenticate(self, authorization: bytes) -> Caller:
        """The caller that the Authorization header names. Raises 401.

        Waits for the key set, for 2 s at most, when the token's key is not known yet.
        """
        return self.recall(authorization) or await self._verify(authorization)

    async def _verify(self, authorization: bytes) -> Caller:
        token = _token_of(authorization.decode("latin-1"))
        try:
            kid, algorithm = _header_of(token)
            if kid is not None and not self._keys.knows(kid):
                await self._keys.look_for(kid)
            generation = self._keys.generation
            claims = self._claims(token, kid, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise unauthorized("the token is not valid", token_sent=True) from None
        scopes = frozenset(claims.get("scope", "").split())
        caller = Caller(claims["sub"], scopes, claims["exp"])
        if generation == self._generation:
            self._remember(authorization, caller, claims["exp"] + self._leeway)
        return caller

    def _claims(self, token: str, kid: str | None, algorithm: str) -> dict[str, Any]:
        keys = self._keys.fitting(kid, algorithm)
        if not keys or (kid is None and len(keys) > 1):
            raise jwt.InvalidKeyError
        claims = self._decode(token, keys, algorithm)
        if not claims["sub"] or not isinstance(claims.get("scope", ""), str):
            raise jwt.InvalidTokenError
        expiry = claims["exp"]
        if isinstance(expiry, bool) or not isinstance(expiry, int | float) or expiry > _LATEST:
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
        return jwt.decode(
            token,
            key.key.key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": _REQUIRED},
        )

    def _remember(self, authorization: bytes, caller: Caller, until: float) -> None:
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[authorization] = (caller, until)


def _token_of(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized("the Authorization header needs the scheme Bearer", token_sent=False)
    return token.strip()


def _header_of(token: str) -> tuple[str | None, str]:
    header = jwt.get_unverified_header(token)
    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS or not (kid is None or isinstance(kid, str)):
        raise jwt.InvalidAlgorithmError
    return kid, algorithm
