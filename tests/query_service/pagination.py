"""Reads a list page by page."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from shared.contracts.tokens import parse_token

MAX_PAGES: Final = 200


async def read_all_pages(
    queries: httpx.AsyncClient,
    path: str,
    limit: int = 50,
    *,
    between: Callable[[], Awaitable[Any]] | None = None,
    **parameters: str,
) -> list[Any]:
    """All items of a list; `between` is called after each page."""
    items: list[Any] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        pages += 1
        assert pages <= MAX_PAGES, "the list has too many pages"
        sent = {**parameters, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        response = await queries.get(path, params=sent)
        assert response.status_code == 200, response.text
        assert parse_token(response.headers["consistency-token"], 12)
        page = response.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
        if between is not None:
            await between()
    return items


def ids(items: list[Any]) -> list[str]:
    return [item["id"] for item in items]
