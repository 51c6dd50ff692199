"""`python -m shared.http.check_health [livez|readyz]`: requests a probe of the local process.

The exit status is 0 if the response is 200, otherwise 1 with the reason, as containers' health
checks require. It imports only the standard library, because it is started every few seconds.
"""

import http.client
import os
import sys
from collections.abc import Mapping
from typing import Final

PROBES: Final = ("livez", "readyz")
_TIMEOUT_S: Final = 3.0
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def failure(probe: str, host: str, port: int) -> str | None:
    """Why the process at this address fails the probe, or None."""
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"/{probe}")
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no response: {error}"
    finally:
        connection.close()
    return None if response.status == 200 else f"{response.status} {body}"


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """The address is in the settings of the process: HOST, and OPERATIONS_PORT or else PORT."""
    [probe] = arguments or ["livez"]
    port = environ.get("OPERATIONS_PORT") or environ.get("PORT")
    if probe not in PROBES or not port:
        print("usage: PORT=8080 python -m shared.http.check_health [livez|readyz]", file=sys.stderr)
        return 2
    reason = failure(probe, environ.get("HOST") or "127.0.0.1", int(port))
    if reason is not None:
        print(f"{probe}: {reason}", file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
