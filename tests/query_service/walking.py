"""Walks a list to its end."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from shared.contracts.tokens import parse_token


async def walk(
    queries: httpx.AsyncClient,
    path: str,
    limit: int = 50,
    *,
    between: Callable[[], Awaitable[Any]] | None = None,
    **parameters: str,
) -> list[Any]:
    """All items; `between` happens between two pages."""
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        sent = {**parameters, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer = await queries.get(path, params=sent)
        assert answer.status_code == 200, answer.text
        assert parse_token(answer.headers["consistency-token"], 12)
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
        if between is not None:
            await between()
    return items


def ids(items: list[Any]) -> list[str]:
    return [item["id"] for item in items]
