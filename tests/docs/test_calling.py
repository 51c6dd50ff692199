"""The programs of `calling.md` take effect once, although half of the responses are lost."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.contracts_tools.tools import require_tool, run
from tests.docs.pages import write_programs
from tests.docs.response_dropping_proxy import response_dropping_proxy
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.waiting import until

EXPECTED_OUTPUT = {"place_order.py": "placed {'amount': 900", "place_order.sh": '"status":"placed"'}


@pytest.mark.parametrize("name", EXPECTED_OUTPUT)
async def test_an_order_is_placed_once_and_read_back(
    stack: Stack, shop: Shop, tmp_path: Path, name: str
) -> None:
    program = write_programs("calling.md", tmp_path)[name]
    interpreter = [sys.executable] if name.endswith(".py") else [require_tool("sh")]
    require_tool("curl")
    before = await _count(shop)
    async with response_dropping_proxy(stack["command-service"].port) as port:
        output = await asyncio.to_thread(
            run,
            *interpreter,
            program,
            cwd=tmp_path,
            env={
                "COMMAND_URL": f"http://127.0.0.1:{port}",
                "QUERY_URL": stack["query-service"].url,
                "TOKEN": stack.identity.token(),
            },
        )
    assert EXPECTED_OUTPUT[name] in output

    async def one_more_of_each() -> bool:
        return await _count(shop) == [one + 1 for one in before]

    await until(one_more_of_each, "exactly one more user, product and order")


async def _count(shop: Shop) -> list[int]:
    counts: list[int] = []

    async def responds() -> bool:
        response = await shop.query("/v1/dashboard")
        if response.status_code == 200:
            found = response.json()
            counts[:] = [found["users"], found["products"], found["orders"]["total"]]
        return bool(counts)

    await until(responds, "the dashboard is available")
    return counts
