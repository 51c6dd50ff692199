"""A client that reads all of its own writes, in every shard."""

from typing import Any

import httpx

from tests.support.shop import Shop


class AllTokens(Shop):
    """`token` joins all tokens since the last read, whose own token replaces them, by commas."""

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.client.request(
            method, self.command_url + path, json=body, headers=named
        )
        token = response.headers.get("consistency-token")
        if token and token not in self.token.split(","):
            self.token = f"{self.token},{token}" if self.token else token
        return response

    async def read(self, path: str, **headers: str) -> httpx.Response:
        """A query that waits for all writes of this client."""
        response = await self.query(path, Prefer="wait=15", **headers)
        self.token = response.headers.get("consistency-token", self.token)
        return response
