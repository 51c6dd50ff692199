"""`python -m shared.http.check_health [livez|readyz]`: asks the process beside it how it does.

Exit status 0 if it answers 200, otherwise 1 with the reason: what containers' health checks want.
It has nothing but the standard library to load, since it starts every few seconds.
"""

import http.client
import os
import sys
from collections.abc import Mapping
from typing import Final

PROBES: Final = ("livez", "readyz")
_SECONDS: Final = 3.0
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def reason_against(probe: str, host: str, port: int) -> str | None:
    """Why the process that listens there is not well, or None."""
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=_SECONDS)
    try:
        connection.request("GET", f"/{probe}")
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{answer.status} {body}"


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Where to ask is what the process itself is told: HOST and PORT."""
    [probe] = arguments or ["livez"]
    if probe not in PROBES or not environ.get("PORT"):
        print("usage: PORT=8080 python -m shared.http.check_health [livez|readyz]", file=sys.stderr)
        return 2
    reason = reason_against(probe, environ.get("HOST") or "127.0.0.1", int(environ["PORT"]))
    if reason is not None:
        print(f"{probe}: {reason}", file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
