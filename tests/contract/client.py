"""A client that reads all of its own writes, whatever shards they went to."""

from typing import Any

import httpx

from tests.support.shop import Shop


class AllTokens(Shop):
    """`token` holds every token since the last read, joined by commas; then the read's own."""

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.request(
            method, self.command_url + path, json=body, headers=named
        )
        given = answer.headers.get("consistency-token")
        if given and given not in self.token.split(","):
            self.token = f"{self.token},{given}" if self.token else given
        return answer

    async def read(self, path: str, **headers: str) -> httpx.Response:
        """A query that waits for all that this client wrote."""
        answer = await self.query(path, Prefer="wait=15", **headers)
        self.token = answer.headers.get("consistency-token", self.token)
        return answer
