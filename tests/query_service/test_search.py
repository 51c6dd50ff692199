"""SearchProducts."""

import httpx
import pytest

from shared.contracts.events import ProductRetired
from tests.query_service.pagination import ids, read_all_pages
from tests.query_service.shop import Shop


@pytest.mark.parametrize(
    ("q", "found"),
    [
        *(("c", True), ("cha", True), ("chair", True), ("chairs", False), ("hair", False)),
        *(("CHAIR", True), ("Crème", True), ("creme", True), ("CREME BRUL", True)),
        *(("crème brûlée chair", True), ("chair creme table", False), ("brulee-2", True)),
        *(("2", True), ("straße", True), ("STRASSE", True), ("stras", True), ("ﬁne", True)),
        *(("fine", True), ("crem\u0300e", True), ("chair chair", True), ("ch cha c", True)),
        *(("armchair", False), ("arm", False), ("日本", True), ("日", True), ("本", False)),
    ],
)
async def test_every_word_must_be_a_prefix_of_a_word(
    shop: Shop, queries: httpx.AsyncClient, q: str, found: bool
) -> None:
    product = await shop.product("Chair, Crème", "BRÛLÉE-2 for Straße; ﬁne. 日本語")
    await shop.product("Table", "oak")
    page = (await queries.get("/v1/products", params={"q": q})).json()
    assert ids(page["items"]) == ([product] if found else [])
    assert page["next"] is None


@pytest.mark.parametrize("q", ["", " ", "-", "...", "%%", "\u0301"])
async def test_a_search_without_words_has_no_matches(
    shop: Shop, queries: httpx.AsyncClient, q: str
) -> None:
    await shop.product()
    page = (await queries.get("/v1/products", params={"q": q})).json()
    assert page == {"items": [], "next": None}


@pytest.mark.parametrize("q", ["%FF", "%00", "+", "a%00b", "%F0%9F%98%80", "a" * 1000, "a+" * 500])
async def test_unusual_searches_are_200(shop: Shop, queries: httpx.AsyncClient, q: str) -> None:
    await shop.product("a")
    assert (await queries.get(f"/v1/products?q={q}")).status_code == 200


async def test_a_search_that_is_too_long_is_422(shop: Shop, queries: httpx.AsyncClient) -> None:
    response = await queries.get("/v1/products", params={"q": "a" * 1001})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "/q")


@pytest.mark.parametrize("q", ["re", "redd", "reddish", "red cha", "chair reddish"])
async def test_the_pages_of_a_search_are_newest_first_and_without_duplicates(
    shop: Shop, queries: httpx.AsyncClient, q: str
) -> None:
    matching = []
    for number in range(40):
        matching.append(await shop.product(f"Reddish chair {number}"))
        await shop.product(f"Redwood table {number}")
    found = ids(await read_all_pages(queries, "/v1/products", 7, q=q))
    assert [id for id in found if id in set(matching)] == matching[::-1]
    assert len(found) == len(set(found))
    if q not in ("re", "red"):
        assert found == matching[::-1]


async def test_retired_products_do_not_match(shop: Shop, queries: httpx.AsyncClient) -> None:
    kept, retired = await shop.product("Chair"), await shop.product("Chair")
    await shop.apply(ProductRetired(id=retired, version=2))
    assert ids((await queries.get("/v1/products?q=chair")).json()["items"]) == [kept]


async def test_a_search_with_few_matches_among_many_candidates_ends_its_page_early(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    matching = await shop.product("Reddaaa chair")
    for number in range(1300):
        await shop.product(f"Reddbbb {number}")
    first = (await queries.get("/v1/products?q=reddaaa")).json()
    assert first["items"] == []
    assert first["next"]
    assert ids(await read_all_pages(queries, "/v1/products", q="reddaaa")) == [matching]
    assert ids((await queries.get("/v1/products?q=reddaaa+chair")).json()["items"]) == [matching]
