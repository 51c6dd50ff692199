"""What answers are checked for."""

from typing import Any

import httpx

from tests.contract.client import AllTokens


def check_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """It is the problem of that name, in the shape of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"].rsplit("/", 1)[-1] == name, problem
    assert problem["status"] == status
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    if name == "invalid-field":
        assert problem["errors"]
        for error in problem["errors"]:
            assert set(error) == {"field", "message"}
    if status in (401, 403):
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status == 503 or name in ("projection-behind", "idempotency-key-in-use"):
        assert int(answer.headers["retry-after"]) >= 0
    return problem


def fields_of(answer: httpx.Response) -> set[str]:
    """The pointers that a 422 names."""
    problem = check_problem(answer, 422, "invalid-field")
    return {error["field"] for error in problem["errors"]}


async def document(shop: AllTokens, path: str) -> dict[str, Any]:
    """What stands under a path of the query service once the last command is in it."""
    answer = await shop.read(path)
    assert answer.status_code == 200, (path, answer.text)
    found: dict[str, Any] = answer.json()
    return found


async def walk(shop: AllTokens, path: str, limit: int) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    found: list[dict[str, Any]] = []
    join = "&" if "?" in path else "?"
    page = await document(shop, f"{path}{join}limit={limit}")
    while True:
        assert set(page) == {"items", "next"}
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = httpx.QueryParams({"cursor": page["next"], "limit": limit})
        page = await document(shop, f"{path}{join}{cursor}")
