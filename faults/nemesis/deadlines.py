"""Two command services are killed while the payments of many orders are due."""

import asyncio
import contextlib
import signal
from random import Random
from typing import Any, Final

import httpx

from faults.auditor.once import UNRECORDED
from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest

_SECOND: Final = "command-service-2"
_BOTH: Final = ("command-service", _SECOND)
_ORDERS: Final = 100
_PAY_WITHIN_S: Final = 2


async def kill_at_deadlines(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Places orders that are due at the same second, and kills one or both services then."""
    await system.join(_SECOND)
    async with httpx.AsyncClient(
        headers=system.identity.headers(f"{UNRECORDED}deadlines"), timeout=20
    ) as client:
        order = await _prepare_order(system, client)
        async for _ in random_intervals(random, seconds, 0.1, 0.5):
            placed = await asyncio.gather(*(_place(system, client, order) for _ in range(_ORDERS)))
            system.note(f"{sum(placed)} orders are due in {_PAY_WITHIN_S} s")
            await asyncio.sleep(random.uniform(_PAY_WITHIN_S - 0.5, _PAY_WITHIN_S + 0.5))
            for name in random.choice([_BOTH[:1], _BOTH[1:], _BOTH]):
                system.kill(name)
            await asyncio.gather(*(system.processes[name].ready() for name in _BOTH))
    await system.leave(_SECOND, signal.SIGTERM)


async def _prepare_order(system: SystemUnderTest, client: httpx.AsyncClient) -> dict[str, Any]:
    """The body of an order, after its user and its product were created."""
    url = system.url_of("command-service")
    mark = f"{UNRECORDED}{system.clock():.3f}"
    user = await client.post(f"{url}/v1/users", json={"name": mark, "email": f"{mark}@example.net"})
    product = {"name": mark, "description": "", "stock": 10**6}
    price = {"amount": 1, "currency": "EUR"}
    added = await client.post(f"{url}/v1/products", json={**product, "price": price})
    return {
        "customer_id": user.raise_for_status().json()["id"],
        "items": [{"product_id": added.raise_for_status().json()["id"], "quantity": 1}],
        "shipping_address": f"{mark} Street",
        "pay_within_seconds": _PAY_WITHIN_S,
    }


async def _place(system: SystemUnderTest, client: httpx.AsyncClient, order: dict[str, Any]) -> bool:
    """Whether the response is known; an order without one counts if it is in the event log."""
    with contextlib.suppress(httpx.TransportError):
        url = system.url_of("command-service")
        return (await client.post(f"{url}/v1/orders", json=order)).status_code == 201
    return False
