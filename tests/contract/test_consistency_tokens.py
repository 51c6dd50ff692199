"""A tokened read contains what its token stands for, or says that the view is behind."""

import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.contract.answers import check_problem
from tests.contract.client import AllTokens
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.waiting import until


@pytest.fixture
async def paused(stack: Stack, shop: AllTokens) -> AsyncIterator[None]:
    """The views hold a user, are level, and stand still during the test."""
    other = AllTokens(shop.client, shop.command_url, shop.query_url)
    await other.read(f"/v1/users/{await other.user()}")

    async def level() -> bool:
        answer = await shop.query("/v1/projections", "")
        return bool(answer.json()["lag"] == 0)

    await until(level, "the views are level")
    stack["projector"].signal(signal.SIGSTOP)
    yield
    stack["projector"].signal(signal.SIGCONT)


async def test_tokens_joined_by_commas_stand_for_all_of_them(shop: AllTokens) -> None:
    tokens = []
    for _ in range(3):
        one = Shop(shop.client, shop.command_url, shop.query_url)
        user, product = await one.user(), await one.product()
        answer = await one.order(user, (product, 1))
        tokens.append(answer.headers["consistency-token"])
        joined = " , ".join(tokens)
        listed = await shop.query("/v1/orders?limit=3", joined, Prefer="wait=15")
        assert listed.status_code == 200, listed.text
        ids = [order["id"] for order in listed.json()["items"]]
        assert answer.json()["id"] in ids
        again = await shop.query(
            "/v1/orders", ",".join([joined, listed.headers["consistency-token"]])
        )
        assert again.status_code == 200


@pytest.mark.parametrize(
    "token", ["nonsense", ",", ";", "users.0", "users.0:x", "users.0:-1", "x" * 3000, "users.99:1"]
)
async def test_a_malformed_token_is_400(shop: AllTokens, token: str) -> None:
    product = await shop.product()
    good = shop.token
    for path in (f"/v1/products/{product}", "/v1/products", "/v1/dashboard", "/v1/users"):
        for sent in (token, f"{good},{token}"):
            answer = await shop.query(path, sent)
            check_problem(answer, 400, "malformed-request")


@pytest.mark.usefixtures("paused")
async def test_a_view_that_is_behind_its_token_answers_412(shop: AllTokens) -> None:
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
        answer = await shop.query(path, Prefer="wait=0")
        assert answer.status_code == 412, path
        check_problem(answer, 412, "projection-behind")
    # Without a token nothing is waited for: the views of before answer.
    assert (await shop.query(f"/v1/users/{user}", "")).status_code == 404


@pytest.mark.usefixtures("paused")
async def test_only_the_parts_that_name_shards_read_from_count(shop: AllTokens) -> None:
    await shop.product()
    assert (await shop.query("/v1/products", Prefer="wait=0")).status_code == 412
    for path in ("/v1/users", "/v1/orders"):
        answer = await shop.query(path, Prefer="wait=0")
        assert answer.status_code == 200
        # The answer's token still covers the request's.
        token = answer.headers["consistency-token"]
        behind = await shop.query("/v1/products", token, Prefer="wait=0")
        check_problem(behind, 412, "projection-behind")


@pytest.mark.usefixtures("paused")
async def test_another_partition_of_the_same_topic_does_not_count(
    stack: Stack, shop: AllTokens
) -> None:
    users = (await shop.query("/v1/users?limit=1", "")).json()["items"]
    assert users, "some user is there from before"
    present = users[0]["id"]
    new = await shop.user()
    while int(new[-3:], 16) % 12 == int(present[-3:], 16) % 12:
        shop.token = ""
        new = await shop.user()
    assert (await shop.query(f"/v1/users/{present}", Prefer="wait=0")).status_code == 200
    assert (await shop.query(f"/v1/users/{new}", Prefer="wait=0")).status_code == 412


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize(("prefer", "seconds"), [("wait=0", 0), ("wait=1", 1), ("x", 2)])
async def test_a_read_waits_as_long_as_it_prefers(
    shop: AllTokens, prefer: str, seconds: int
) -> None:
    user = await shop.user()
    started = time.monotonic()
    answer = await shop.query(f"/v1/users/{user}", Prefer=prefer)
    check_problem(answer, 412, "projection-behind")
    assert seconds - 0.1 <= time.monotonic() - started < seconds + 3


async def test_a_waiting_read_answers_as_soon_as_the_view_is_there(
    stack: Stack, shop: AllTokens
) -> None:
    projector = stack["projector"]
    projector.signal(signal.SIGSTOP)
    try:
        user = await shop.user("Grace")
        assert (await shop.query(f"/v1/users/{user}", Prefer="wait=0")).status_code == 412
    finally:
        projector.signal(signal.SIGCONT)
    answer = await shop.query(f"/v1/users/{user}", Prefer="wait=30")
    assert (answer.status_code, answer.json()["name"]) == (200, "Grace")


async def test_a_reads_token_covers_what_was_read(stack: Stack, shop: AllTokens) -> None:
    """Another client's write, seen by a read without a token, is not unseen with its token."""
    writer = AllTokens(shop.client, shop.command_url, shop.query_url)
    user = await writer.user()
    assert (await writer.read(f"/v1/users/{user}")).status_code == 200
    seen = await shop.query("/v1/users", "")
    assert user in [item["id"] for item in seen.json()["items"]]
    again = await shop.query(f"/v1/users/{user}", seen.headers["consistency-token"])
    assert again.status_code == 200


@pytest.mark.parametrize("prefer", ["wait=0", "wait=30", "wait=31", "respond-async, wait=5", "x"])
async def test_a_level_view_answers_whatever_wait_is_preferred(
    shop: AllTokens, prefer: str
) -> None:
    user = await shop.user()
    assert (await shop.read(f"/v1/users/{user}")).status_code == 200
    assert (await shop.query(f"/v1/users/{user}", Prefer=prefer)).status_code == 200


async def test_every_token_that_a_command_gives_is_honoured(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    placed = await shop.order(user, (product, 2))
    token = placed.headers["consistency-token"]
    found = await shop.query(f"/v1/orders/{placed.json()['id']}", token, Prefer="wait=15")
    assert found.json()["version"] == 1
    stock = await shop.query(f"/v1/products/{product}", token, Prefer="wait=15")
    assert stock.json()["version"] == 2
