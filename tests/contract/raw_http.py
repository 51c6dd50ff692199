"""Requests as bytes, which an HTTP client would not send."""

import asyncio
from urllib.parse import urlsplit


async def status_of(url: str, request: bytes, *, timeout_s: float = 10) -> int | None:
    """The status of the response; None if the service closes the connection, or at the timeout."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), timeout_s)
        return int(line.split()[1]) if line else None
    except (ConnectionError, TimeoutError):
        return None
    finally:
        writer.close()


def request(
    method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None = None
) -> bytes:
    """The bytes of a request; `body` adds its Content-Length."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: x", b"Connection: close"]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")
