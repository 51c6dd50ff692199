"""Search: every word of `q` starts a word of the name or the description."""

import secrets
from typing import Any

import httpx
import pytest

from tests.contract.client import AllTokens
from tests.contract.response_checks import walk


async def _add(shop: AllTokens, name: str, description: str = "") -> str:
    price = {"amount": 1, "currency": "EUR"}
    body: dict[str, Any] = {"name": name, "description": description, "price": price, "stock": 1}
    response = await shop.send("POST", "/v1/products", body)
    assert response.status_code == 201
    return str(response.json()["id"])


async def _search(shop: AllTokens, q: str) -> list[str]:
    path = f"/v1/products?{httpx.QueryParams({'q': q})}"
    return [item["id"] for item in await walk(shop, path, 200)]


@pytest.mark.parametrize(
    ("name", "description", "found", "not_found"),
    [
        ("Green Tea", "loose leaf", ["gr", "TEA", "leaf gre", "loo"], ["een", "teas", "green x"]),
        ("Crème BRÛLÉE-2", "", ["creme", "crème", "BRULEE 2", "brûl", "2"], ["reme", "lee", "22"]),
        ("Straße", "", ["STRASSE", "strass", "straße"], ["rasse"]),
        ("ﬁne ＡＢＣ", "", ["fine", "abc", "ＡＢ"], ["ne"]),
        ("Top_4K screen", "4x3", ["4k", "4", "top", "4x", "4x3 4K"], ["k", "x3", "op"]),
        ("日本茶", "", ["日", "日本", "日本茶"], ["本"]),
        ("Ελλάδα ΣΑΣ", "", ["ελλαδα", "σας", "ΣΑ"], ["λα"]),
        ("don't", "e-mail", ["don", "t", "mail", "don't"], ["dont", "email"]),
        ("e\u0301clair", "", ["éclair", "eclair", "E\u0301CL"], ["clair"]),
        ("x²", "½ litre", ["x2", "1", "2", "lit"], ["x3"]),
    ],
)
async def test_words_are_found_by_prefix_ignoring_case_and_accents(
    shop: AllTokens, name: str, description: str, found: list[str], not_found: list[str]
) -> None:
    mark = f"m{secrets.token_hex(6)}"
    id = await _add(shop, f"{name} {mark}", description)
    for q in found:
        assert await _search(shop, f"{q} {mark}") == [id], q
        assert id in await _search(shop, q), q
    for q in not_found:
        assert await _search(shop, f"{q} {mark}") == [], q


async def test_all_words_must_match_and_duplicates_and_order_do_not_matter(
    shop: AllTokens,
) -> None:
    mark = f"m{secrets.token_hex(6)}"
    both = await _add(shop, f"{mark} red cup")
    red = await _add(shop, f"{mark} red bowl")
    assert await _search(shop, f"{mark} red") == sorted([both, red], reverse=True)
    assert await _search(shop, f"cup red red {mark[:9]}") == [both]
    assert await _search(shop, f"{mark} red cup bowl") == []
    assert await _search(shop, f"\t {mark},--  !re\n") == sorted([both, red], reverse=True)


@pytest.mark.parametrize("q", ["", " ", "!!!", "_-_", "\u0301", "\u200b", "🍵", "%"])
async def test_a_q_without_words_finds_nothing(shop: AllTokens, q: str) -> None:
    await _add(shop, "🍵 100% _-_")
    assert await _search(shop, q) == []


async def test_without_q_all_active_products_are_listed_and_no_retired_ones(
    shop: AllTokens,
) -> None:
    mark = f"m{secrets.token_hex(6)}"
    ids = [await _add(shop, f"{mark} {n}") for n in range(3)]
    await shop.send("DELETE", f"/v1/products/{ids[1]}")
    active = [ids[2], ids[0]]
    assert await _search(shop, mark) == active
    listed = [item["id"] for item in await walk(shop, "/v1/products", 200)]
    assert [id for id in listed if id in ids] == active
    retired = await shop.read(f"/v1/products/{ids[1]}")
    assert (retired.status_code, retired.json()["status"]) == (200, "retired")


async def test_search_results_contain_the_current_price_and_stock(shop: AllTokens) -> None:
    mark = f"m{secrets.token_hex(6)}"
    id = await _add(shop, mark)
    price = {"amount": 9, "currency": "USD"}
    await shop.send("PUT", f"/v1/products/{id}/price", {"price": price})
    await shop.send("POST", f"/v1/products/{id}/restock", {"quantity": 4})
    (item,) = await walk(shop, f"/v1/products?q={mark}", 50)
    assert (item["price"], item["stock"], item["version"]) == (price, 5, 3)


@pytest.mark.parametrize("limit", [1, 4, 200])
async def test_a_search_is_read_page_by_page_newest_first(shop: AllTokens, limit: int) -> None:
    mark = f"m{secrets.token_hex(6)}"
    ids = [await _add(shop, f"{mark} {n}") for n in range(9)]
    found = await walk(shop, f"/v1/products?q={mark}", limit)
    assert [item["id"] for item in found] == sorted(ids, reverse=True)


async def test_a_long_q_gives_no_500(shop: AllTokens) -> None:
    for q in ("a" * 5000, "a b c " * 800, "é" * 1500):
        response = await shop.read(f"/v1/products?{httpx.QueryParams({'q': q})}")
        assert response.status_code in (200, 400, 413, 414, 422, 431)
