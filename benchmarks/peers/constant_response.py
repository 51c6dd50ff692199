"""The limit of a read: Tandem's HTTP server with a constant response."""

import asyncio
import os
from pathlib import Path

import orjson

from shared.http.framing import RequestHead
from shared.http.messages import Response, problem_response
from shared.http.problems import Problem
from shared.http.server import listen, run, serve


def main() -> None:
    body, headers = orjson.loads(Path(os.environ["RESPONSE_FILE"]).read_bytes())
    response = Response(
        200, body.encode(), [(name.encode(), value.encode()) for name, value in headers]
    )

    class Constant:
        async def handle(self, head: RequestHead, body: bytes | None, address: str) -> Response:
            return response

        def reject(self, problem: Problem, address: str | None) -> Response:
            return problem_response(problem)

        def count_rejected(self, reason: str) -> None: ...

    listener = listen("127.0.0.1", int(os.environ["PORT"]))
    run(serve(Constant(), listener, stop=asyncio.Event(), grace_seconds=1))


if __name__ == "__main__":
    main()
