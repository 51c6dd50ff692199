"""`python -m faults.flood HOST PORT TOKEN MARK CONNECTIONS SECONDS`: sends commands on all
connections, each after the response to the one before.
"""

import asyncio
import json
import sys
import time
from collections import Counter


async def flood(
    host: str, port: int, token: str, mark: str, connections: int, seconds: float
) -> Counter[str]:
    """The number of responses by status; `lost` counts connections."""
    statuses: Counter[str] = Counter()
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(_client(host, port, token, f"{mark}-{n}", until, statuses) for n in range(connections))
    )
    return statuses


async def _client(
    host: str, port: int, token: str, mark: str, until: float, statuses: Counter[str]
) -> None:
    step = 0
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            while time.monotonic() < until:
                step += 1
                writer.write(create_user_request(token, f"{mark}-{step}"))
                statuses[await _status(reader)] += 1
            writer.close()
        except (OSError, EOFError, ValueError):
            statuses["lost"] += 1


def create_user_request(token: str, mark: str) -> bytes:
    """The bytes of a request."""
    body = json.dumps({"name": "Flood", "email": f"{mark}@example.net"})
    head = (
        "POST /v1/users HTTP/1.1", "Host: tandem", f"Authorization: Bearer {token}",
        "Content-Type: application/json", f"Content-Length: {len(body)}",
    )  # fmt: skip
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def _status(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    await reader.readexactly(length)
    return head.split(" ")[1]


if __name__ == "__main__":
    host, port, token, mark, connections, seconds = sys.argv[1:]
    counted = asyncio.run(flood(host, int(port), token, mark, int(connections), float(seconds)))
    sys.stdout.write(json.dumps(counted) + "\n")
