"""The tokens that `make token` prints, verified like a service does."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from deploy.local.errors import StackError
from deploy.local.home import Home
from deploy.local.token_command import token_from_environment


def claims_of(home: Home, token: str, audience: str = "tandem") -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(json.loads(home.jwks.read_text()))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, ["ES256"], audience=audience)
    return claims


def test_a_token_has_its_scopes_and_is_valid_for_twelve_hours(tmp_path: Path) -> None:
    home = Home(tmp_path)

    claims = claims_of(home, token_from_environment(home, {"SCOPE": "orders:read orders:write"}))

    assert claims["scope"] == "orders:read orders:write"
    assert claims["iss"] == "https://tandem.local"
    assert claims["exp"] - claims["iat"] == 12 * 3600


def test_subject_audience_issuer_and_lifetime_can_be_set(tmp_path: Path) -> None:
    home = Home(tmp_path)
    environ = {"SCOPE": "", "SUB": "ada", "AUDIENCE": "else", "ISSUER": "me", "EXPIRES_IN": "60"}

    claims = claims_of(home, token_from_environment(home, environ), "else")

    assert (claims["sub"], claims["iss"], claims["scope"]) == ("ada", "me", "")
    assert claims["exp"] - claims["iat"] == 60


def test_the_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = token_from_environment(home, {"SCOPE": "a"})
    token_from_environment(home, {"SCOPE": "b"})

    assert claims_of(home, first)["scope"] == "a"
    assert home.private_key.stat().st_mode & 0o077 == 0


def test_a_missing_scope_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="SCOPE is missing"):
        token_from_environment(Home(tmp_path), {})


def test_an_invalid_lifetime_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="EXPIRES_IN=soon"):
        token_from_environment(Home(tmp_path), {"SCOPE": "a", "EXPIRES_IN": "soon"})
