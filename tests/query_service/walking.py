"""Walks a list to its end."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from shared.contracts.tokens import parse_token

MOST_PAGES: Final = 200


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
    pages = 0
    while cursor is not None:
        pages += 1
        assert pages <= MOST_PAGES, "the walk has no end"
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
