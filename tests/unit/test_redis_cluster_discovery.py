"""The slot map of a Redis Cluster whose nodes accept connections and never reply."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shared.redis.clients import REDIS_ERRORS, redis_cluster
from shared.redis.cluster import Cluster

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Node:
    """Counts connections. With a slot map it replies, otherwise it is silent."""

    def __init__(self, *, replies: bool) -> None:
        self._replies = replies
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while command := await reader.read(65536):
            if not self._replies:
                continue
            if b"SLOTS" in command:
                address = b"$9\r\n127.0.0.1\r\n:%d\r\n" % self.port
                writer.write(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" + address)
            else:
                writer.write(b"+OK\r\n" * command.count(b"\r\n*") + b"+OK\r\n")
        writer.close()


@asynccontextmanager
async def cluster_of(*nodes: Node) -> AsyncIterator[Cluster]:
    servers = [await asyncio.start_server(node.serve, "127.0.0.1", 0) for node in nodes]
    for node, server in zip(nodes, servers, strict=True):
        node.port = server.sockets[0].getsockname()[1]
    addresses = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    cluster = redis_cluster(f"redis://{addresses}/0", "test", reply_timeout_s=2.0)
    try:
        yield cluster
    finally:
        await cluster.aclose()
        for server in servers:
            server.close()


async def test_a_silent_cluster_is_an_error_in_two_seconds_for_all_callers() -> None:
    nodes = [Node(replies=False) for _ in range(6)]
    async with cluster_of(*nodes) as cluster:
        started = time.monotonic()
        calls = (cluster.owner(f"orders.{n}") for n in range(36))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - started < 2.5
        assert all(isinstance(outcome, REDIS_ERRORS) for outcome in outcomes)
        assert [node.connections for node in nodes] == [1] * 6


async def test_one_node_that_replies_is_enough() -> None:
    nodes = [*(Node(replies=False) for _ in range(5)), Node(replies=True)]
    async with cluster_of(*nodes) as cluster:
        started = time.monotonic()
        assert (await cluster.owner("orders.1")).port == nodes[-1].port
        assert time.monotonic() - started < 0.9


async def test_a_cancelled_caller_does_not_cancel_the_request_of_the_others() -> None:
    nodes = [Node(replies=False), Node(replies=True)]
    async with cluster_of(*nodes) as cluster:
        first = asyncio.create_task(cluster.owner("orders.1"))
        second = asyncio.create_task(cluster.owner("orders.2"))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).port == nodes[1].port
        with pytest.raises(asyncio.CancelledError):
            await first
