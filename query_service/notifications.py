"""Receives the checkpoints that projectors publish, so that reads need not poll for them.

One connection per Redis node, open only while something waits. Redis does not store messages: what
is published before the subscription or during a failure is found by polling.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from shared.cancellation import raise_if_cancelled
from shared.contracts.views import checkpoint_key
from shared.logging_setup import LogThrottle, describe_error
from shared.redis.clients import REDIS_ERRORS
from shared.redis.cluster import Cluster

log = structlog.stdlib.get_logger(__name__)

_PING_INTERVAL_S: Final = 5.0
_RETRY_DELAY_S: Final = 0.5
_LOG_INTERVAL_S: Final = 60.0
_LINGER_S: Final = 15.0

GroupByClient = Callable[[Sequence[str]], Awaitable[Mapping[Redis, Sequence[str]]]]
"""Shards -> the clients of their nodes, with the shards of each. Raises one of REDIS_ERRORS."""
Receive = Callable[[str, bytes], None]
"""(shard, checkpoint) -> None."""


class Notifications:
    """The subscription to the channels of all shards."""

    def __init__(self, group_by_client: GroupByClient, shards: Sequence[str]) -> None:
        self._group_by_client = group_by_client
        self._shards = {checkpoint_key(shard).encode(): shard for shard in shards}
        self._needed = asyncio.Event()
        self._pending: set[bytes] = set()
        self._throttle = LogThrottle(_LOG_INTERVAL_S, time.monotonic)
        self.active = False
        """Whether every checkpoint that is published now will be received."""

    def need(self) -> None:
        """Subscribe, or stay subscribed, for some seconds."""
        self._needed.set()

    async def run(self, receive: Receive) -> None:
        """Pass every message to `receive` until cancelled."""
        while True:
            await self._needed.wait()
            try:
                await self._subscribe(receive)
            except* REDIS_ERRORS as group:
                if self._throttle.allow("interrupted"):
                    error = describe_error(group.exceptions[0])
                    log.warning("notifications_interrupted", error=error)
                self._needed.set()
                await asyncio.sleep(_RETRY_DELAY_S)

    async def _subscribe(self, receive: Receive) -> None:
        """Returns when nothing has needed it for the idle time. Raises if a node fails."""
        groups = await self._group_by_client(list(self._shards.values()))
        self._pending = set(self._shards)
        try:
            async with asyncio.TaskGroup() as tasks:
                nodes = [
                    tasks.create_task(self._listen(client, shards, receive))
                    for client, shards in groups.items()
                ]
                while self._needed.is_set():
                    self._needed.clear()
                    await asyncio.sleep(_LINGER_S)
                for node in nodes:
                    node.cancel()
        finally:
            self.active = False

    async def _listen(self, client: Redis, shards: Sequence[str], receive: Receive) -> None:
        connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
            # In a cluster, the channels of one command must be in one slot.
            subscriptions = [("SSUBSCRIBE", checkpoint_key(shard)) for shard in shards]
            await connection.send_packed_command(
                [part for words in subscriptions for part in connection.pack_command(*words)]
            )
            while True:
                raise_if_cancelled()
                self._handle(await _next_reply(connection), receive)
        finally:
            await connection.disconnect(nowait=True)

    def _handle(self, reply: Any, receive: Receive) -> None:
        if not isinstance(reply, list):
            return  # of a PING
        kind, channel, *rest = reply
        if kind == b"smessage":
            receive(self._shards[channel], rest[0])
        elif kind == b"ssubscribe":
            self._pending.discard(channel)
            self.active = not self._pending
        elif kind == b"sunsubscribe":
            raise ConnectionError("the slot of a shard has moved")


async def _next_reply(connection: Any) -> Any:
    """Raises what redis-py raises, also if the server does not reply to a PING."""
    reply = await connection.read_response(timeout=_PING_INTERVAL_S, push_request=True)
    if reply is None:
        await connection.send_command("PING")
        raise_if_cancelled()
        reply = await connection.read_response(timeout=_PING_INTERVAL_S, push_request=True)
    if reply is None:
        raise ConnectionError("Redis does not reply")
    return reply


async def group_by_single_client(client: Redis, shards: Sequence[str]) -> Mapping[Redis, list[str]]:
    return {client: list(shards)}


async def group_by_cluster_client(
    cluster: Cluster, shards: Sequence[str]
) -> Mapping[Redis, Sequence[str]]:
    """With the current slot map: a subscription is not redirected."""
    cluster.mark_stale()
    groups = await cluster.group_by_owner(shards)
    return {cluster.client(address): group for address, group in groups.items()}
