"""`make token`: its settings come from the environment, as make hands its variables on."""

from collections.abc import Mapping

from deploy.local.errors import StackError
from deploy.local.home import Home
from deploy.local.tokens import AUDIENCE, ISSUER, SUBJECT, TWELVE_HOURS, ensure_keys, issue_token


def token_from_environment(home: Home, environ: Mapping[str, str]) -> str:
    """Works before the first `make up` too: the key is made then."""
    if "SCOPE" not in environ:
        raise StackError(
            'SCOPE is missing: make token SCOPE="orders:read orders:write" '
            "(users:, orders: and products:, each with read or write, and :all for everybody's)"
        )
    try:
        expires_in = int(environ.get("EXPIRES_IN") or TWELVE_HOURS)
    except ValueError as error:
        raise StackError(f"EXPIRES_IN={environ['EXPIRES_IN']} must be seconds") from error
    home.make()
    ensure_keys(home.private_key, home.jwks)
    return issue_token(
        home.private_key,
        environ["SCOPE"],
        environ.get("SUB") or SUBJECT,
        expires_in,
        environ.get("AUDIENCE") or AUDIENCE,
        environ.get("ISSUER") or ISSUER,
    )
