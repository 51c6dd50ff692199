"""A read with a consistency token is never stale."""

import asyncio
import signal

from tests.support.shop import Shop
from tests.support.stack import Stack


async def test_a_read_with_a_token_is_never_stale(stack: Stack, shop: Shop) -> None:
    """480 reads by 8 clients, while the projector is paused periodically."""
    current = behind = 0
    pausing = asyncio.create_task(_pause_periodically(stack))

    async def client(number: int) -> None:
        nonlocal current, behind
        mine = Shop(shop.client, shop.command_url, shop.query_url)
        user = await mine.user()
        for step in range(60):
            written = await mine.send("PUT", f"/v1/users/{user}/name", {"name": f"{number}-{step}"})
            read = await mine.query(f"/v1/users/{user}", Prefer="wait=1")
            if read.status_code == 412:
                assert read.json()["type"].endswith("/projection-behind")
                assert read.headers["retry-after"]
                behind += 1
            else:
                assert read.status_code == 200, read.text
                assert read.json()["version"] == written.json()["version"]
                assert read.json()["name"] == f"{number}-{step}"
                current += 1

    await asyncio.gather(*(client(number) for number in range(8)))
    pausing.cancel()
    stack["projector"].signal(signal.SIGCONT)
    assert current + behind == 480
    assert current > 240


async def _pause_periodically(stack: Stack) -> None:
    projector = stack["projector"]
    while True:
        await asyncio.sleep(0.5)
        projector.signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)
        projector.signal(signal.SIGCONT)


async def test_a_client_that_sends_its_last_token_reads_monotonically(
    stack: Stack, shop: Shop
) -> None:
    product, user = await shop.product(), await shop.user()
    versions: list[int] = []

    async def writer() -> None:
        other = Shop(shop.client, shop.command_url, shop.query_url)
        for step in range(50):
            await other.send("PUT", f"/v1/users/{user}/name", {"name": f"name {step}"})
            await other.order(user, (product, 1))

    writing = asyncio.create_task(writer())
    while not writing.done():
        read = await shop.query(f"/v1/users/{user}", Prefer="wait=10")
        assert read.status_code == 200
        shop.token = read.headers["consistency-token"]
        versions.append(read.json()["version"])
    await writing
    assert versions == sorted(versions)


async def test_a_list_and_the_dashboard_contain_what_the_token_covers(shop: Shop) -> None:
    customer, product = await shop.user(), await shop.product()
    for _ in range(20):
        id = (await shop.order(customer, (product, 1))).json()["id"]
        recent = await shop.query("/v1/orders?limit=1", Prefer="wait=10")
        assert recent.json()["items"][0]["id"] == id
    before = (await shop.query("/v1/dashboard")).json()
    await shop.order(customer, (product, 1))
    after = (await shop.query("/v1/dashboard", Prefer="wait=10")).json()
    assert after["orders"]["placed"] == before["orders"]["placed"] + 1
    assert after["revenue"][0]["amount"] == before["revenue"][0]["amount"] + 250


async def test_a_token_of_a_position_that_does_not_exist_is_behind(shop: Shop) -> None:
    user = await shop.user()
    shard = f"users.{int(user[-3:], 16) % 12}"
    read = await shop.query(f"/v1/users/{user}", f"{shard}:999999", Prefer="wait=0")
    assert (read.status_code, read.json()["type"].rsplit("/")[-1]) == (412, "projection-behind")
    malformed = await shop.query(f"/v1/users/{user}", "nonsense")
    assert (malformed.status_code, malformed.json()["type"].rsplit("/")[-1]) == (
        400,
        "malformed-request",
    )
