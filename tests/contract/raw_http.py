"""Requests as bytes: what no well-behaved client would send."""

import asyncio
from urllib.parse import urlsplit


async def status_of(url: str, request: bytes, *, seconds: float = 10) -> int | None:
    """The status that the service answers; None where it closes the connection, or waits on."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), seconds)
        return int(line.split()[1]) if line else None
    except (ConnectionError, TimeoutError):
        return None
    finally:
        writer.close()


def request(
    method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None = None
) -> bytes:
    """As it goes over the wire; `body` adds its Content-Length."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: x", b"Connection: close"]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")
