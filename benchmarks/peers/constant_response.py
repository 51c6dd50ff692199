"""The limit of a read: Tandem's HTTP server with a constant response."""

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson

from shared.http.server import listen, run, serve


def main() -> None:
    body, headers = orjson.loads(Path(os.environ["RESPONSE_FILE"]).read_bytes())
    response_body = {"type": "http.response.body", "body": body.encode()}
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(response_body)

    listener = listen("127.0.0.1", int(os.environ["PORT"]))
    run(serve(app, listener, stop=asyncio.Event(), grace_seconds=1))


if __name__ == "__main__":
    main()
