"""A bearer token checked with PyJWT, as in FastAPI's tutorial."""

import json
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlparse

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tests.support.identity import AUDIENCE, ISSUER

_bearer = HTTPBearer()


def _key() -> Any:
    path = Path(urlparse(os.environ["JWKS_URL"]).path)
    return jwt.PyJWK(json.loads(path.read_text())["keys"][0]).key


def caller_from(key: Any) -> Any:
    """The dependency: the token's claims, or 401."""

    async def caller(
        sent: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)],
    ) -> dict[str, Any]:
        try:
            return jwt.decode(
                sent.credentials, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401) from error

    return caller


def caller_dependency() -> Any:
    return Depends(caller_from(_key()))
