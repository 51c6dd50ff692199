"""A read with a token contains what the token covers, or reports that the view is behind."""

import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.contract.client import AllTokens
from tests.contract.response_checks import check_problem
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.waiting import until


@pytest.fixture
async def paused(stack: Stack, shop: AllTokens) -> AsyncIterator[None]:
    """The views contain a user, are caught up, and do not change during the test."""
    other = AllTokens(shop.client, shop.command_url, shop.query_url)
    await other.read(f"/v1/users/{await other.user()}")

    async def caught_up() -> bool:
        response = await shop.query("/v1/projections", "")
        return bool(response.json()["lag"] == 0)

    await until(caught_up, "the views are caught up")
    stack["projector"].signal(signal.SIGSTOP)
    yield
    stack["projector"].signal(signal.SIGCONT)


async def test_tokens_joined_by_commas_cover_all_of_their_events(shop: AllTokens) -> None:
    tokens = []
    for _ in range(3):
        one = Shop(shop.client, shop.command_url, shop.query_url)
        user, product = await one.user(), await one.product()
        response = await one.order(user, (product, 1))
        tokens.append(response.headers["consistency-token"])
        joined = " , ".join(tokens)
        listed = await shop.query("/v1/orders?limit=3", joined, Prefer="wait=15")
        assert listed.status_code == 200, listed.text
        ids = [order["id"] for order in listed.json()["items"]]
        assert response.json()["id"] in ids
        again = await shop.query(
            "/v1/orders", ",".join([joined, listed.headers["consistency-token"]])
        )
        assert again.status_code == 200


@pytest.mark.parametrize(
    "token", ["nonsense", ";", "users.0", "users.0:x", "users.0:-1", "x" * 3000, "users.99:1"]
)
async def test_a_malformed_token_is_400(shop: AllTokens, token: str) -> None:
    product = await shop.product()
    good = shop.token
    for path in (f"/v1/products/{product}", "/v1/products", "/v1/dashboard", "/v1/users"):
        for sent in (token, f"{good},{token}"):
            response = await shop.query(path, sent)
            check_problem(response, 400, "malformed-request")


@pytest.mark.usefixtures("paused")
async def test_a_read_of_a_view_that_is_behind_the_token_is_412(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    order = (await shop.order(user, (product, 1))).json()["id"]
    for path in (
        f"/v1/users/{user}",
        "/v1/users",
        f"/v1/users/{user}/orders",
        f"/v1/users/{user}/history",
        f"/v1/products/{product}",
        "/v1/products",
        "/v1/products?q=tea",
        f"/v1/products/{product}/history",
        f"/v1/orders/{order}",
        "/v1/orders",
        "/v1/orders?status=placed",
        f"/v1/orders/{order}/history",
        "/v1/dashboard",
    ):
        response = await shop.query(path, Prefer="wait=0")
        assert response.status_code == 412, path
        check_problem(response, 412, "projection-behind")
    # A read without a token does not wait: it returns the views as they are.
    assert (await shop.query(f"/v1/users/{user}", "")).status_code == 404


@pytest.mark.usefixtures("paused")
async def test_only_the_positions_of_the_shards_read_matter(shop: AllTokens) -> None:
    await shop.product()
    assert (await shop.query("/v1/products", Prefer="wait=0")).status_code == 412
    for path in ("/v1/users", "/v1/orders"):
        response = await shop.query(path, Prefer="wait=0")
        assert response.status_code == 200
        # The token of the response still covers that of the request.
        token = response.headers["consistency-token"]
        behind = await shop.query("/v1/products", token, Prefer="wait=0")
        check_problem(behind, 412, "projection-behind")


@pytest.mark.usefixtures("paused")
async def test_a_position_of_another_partition_of_the_topic_does_not_matter(
    stack: Stack, shop: AllTokens
) -> None:
    users = (await shop.query("/v1/users?limit=1", "")).json()["items"]
    assert users, "the fixture has created a user"
    existing = users[0]["id"]
    new = await shop.user()
    while int(new[-3:], 16) % 12 == int(existing[-3:], 16) % 12:
        shop.token = ""
        new = await shop.user()
    assert (await shop.query(f"/v1/users/{existing}", Prefer="wait=0")).status_code == 200
    assert (await shop.query(f"/v1/users/{new}", Prefer="wait=0")).status_code == 412


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize(("prefer", "seconds"), [("wait=0", 0), ("wait=1", 1), ("x", 2)])
async def test_a_read_waits_for_the_preferred_time(
    shop: AllTokens, prefer: str, seconds: int
) -> None:
    user = await shop.user()
    started = time.monotonic()
    response = await shop.query(f"/v1/users/{user}", Prefer=prefer)
    check_problem(response, 412, "projection-behind")
    assert seconds - 0.1 <= time.monotonic() - started < seconds + 3


async def test_a_waiting_read_returns_when_the_view_has_caught_up(
    stack: Stack, shop: AllTokens
) -> None:
    projector = stack["projector"]
    projector.signal(signal.SIGSTOP)
    try:
        user = await shop.user("Grace")
        assert (await shop.query(f"/v1/users/{user}", Prefer="wait=0")).status_code == 412
    finally:
        projector.signal(signal.SIGCONT)
    response = await shop.query(f"/v1/users/{user}", Prefer="wait=30")
    assert (response.status_code, response.json()["name"]) == (200, "Grace")


async def test_a_reads_token_covers_what_was_read(stack: Stack, shop: AllTokens) -> None:
    """A write that a read without a token included is included in reads with its token."""
    writer = AllTokens(shop.client, shop.command_url, shop.query_url)
    user = await writer.user()
    assert (await writer.read(f"/v1/users/{user}")).status_code == 200
    seen = await shop.query("/v1/users", "")
    assert user in [item["id"] for item in seen.json()["items"]]
    again = await shop.query(f"/v1/users/{user}", seen.headers["consistency-token"])
    assert again.status_code == 200


@pytest.mark.parametrize("prefer", ["wait=0", "wait=30", "wait=31", "respond-async, wait=5", "x"])
async def test_a_view_that_has_caught_up_is_read_with_any_preferred_wait(
    shop: AllTokens, prefer: str
) -> None:
    user = await shop.user()
    assert (await shop.read(f"/v1/users/{user}")).status_code == 200
    assert (await shop.query(f"/v1/users/{user}", Prefer=prefer)).status_code == 200


async def test_reads_include_what_a_command_token_covers(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    placed = await shop.order(user, (product, 2))
    token = placed.headers["consistency-token"]
    found = await shop.query(f"/v1/orders/{placed.json()['id']}", token, Prefer="wait=15")
    assert found.json()["version"] == 1
    stock = await shop.query(f"/v1/products/{product}", token, Prefer="wait=15")
    assert stock.json()["version"] == 2
