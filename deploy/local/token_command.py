"""`make token`: reads its settings from the environment, to which make exports its variables."""

from collections.abc import Mapping

from deploy.local.errors import StackError
from deploy.local.home import Home
from deploy.local.tokens import AUDIENCE, ISSUER, SUBJECT, TWELVE_HOURS, ensure_keys, issue_token


def token_from_environment(home: Home, environ: Mapping[str, str]) -> str:
    """Creates the signing key if `make up` has not run yet."""
    if "SCOPE" not in environ:
        raise StackError(
            'SCOPE is missing: make token SCOPE="orders:read orders:write" '
            "(users:, orders:, products: with read or write; suffix :all: data of all users)"
        )
    try:
        expires_in = int(environ.get("EXPIRES_IN") or TWELVE_HOURS)
    except ValueError as error:
        raise StackError(
            f"EXPIRES_IN={environ['EXPIRES_IN']} must be a number of seconds"
        ) from error
    home.create_directories()
    ensure_keys(home.private_key, home.jwks)
    return issue_token(
        home.private_key,
        environ["SCOPE"],
        environ.get("SUB") or SUBJECT,
        expires_in,
        environ.get("AUDIENCE") or AUDIENCE,
        environ.get("ISSUER") or ISSUER,
    )
