"""Checks of responses, and reads that include all earlier writes."""

from typing import Any

import httpx

from tests.contract.client import AllTokens


def check_problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The response is the problem of that name, in the format of RFC 9457."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["type"].rsplit("/", 1)[-1] == name, problem
    assert problem["status"] == status
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    if name == "invalid-field":
        assert problem["errors"]
        for error in problem["errors"]:
            assert set(error) == {"field", "message"}
    if status in (401, 403):
        assert response.headers["www-authenticate"].startswith("Bearer")
    if status == 503 or name in ("projection-behind", "idempotency-key-in-use"):
        assert int(response.headers["retry-after"]) >= 0
    return problem


def fields_of(response: httpx.Response) -> set[str]:
    """The JSON pointers that a 422 names."""
    problem = check_problem(response, 422, "invalid-field")
    return {error["field"] for error in problem["errors"]}


async def document(shop: AllTokens, path: str) -> dict[str, Any]:
    """The JSON of a path of the query service, including the effect of the last command."""
    response = await shop.read(path)
    assert response.status_code == 200, (path, response.text)
    found: dict[str, Any] = response.json()
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
