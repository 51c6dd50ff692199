"""Creates a Redis Cluster from running nodes, and lists the nodes of a cluster."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import redis

from deploy.local.errors import StackError
from deploy.local.ports import HOST
from deploy.local.servers.valkey import Valkey

SLOTS: Final = 16384
_TIMEOUT_S: Final = 30.0


def form_cluster(nodes: Sequence[Valkey]) -> None:
    """The first half of the nodes become primaries that share the slots; the others become their
    replicas, one each. Idempotent: it completes what a crash interrupted.

    Returns when every node reports a complete cluster with all replicas.
    """
    primaries, replicas = nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :]
    with _clients(nodes) as clients:
        _meet(nodes, clients)
        if not _covered(clients[0]):
            _share_slots([clients[n] for n in range(len(primaries))])
        _until(lambda: all(map(_covered, clients)), "every node sees a primary for every slot")
        primary_ids = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
        for index, client in enumerate(clients[len(primaries) :]):
            if "slave" not in _myself(client) and not _slots_of(client):
                _replicate(client, primary_ids[index])
        _until(lambda: _replicas(clients[0]) == len(replicas), "every primary has its replica")
        _until(lambda: all(map(_is_ok, clients)), "every node reports cluster_state:ok")


def node_urls(url: str) -> list[str]:
    """The URLs of all nodes, including replicas, of the cluster that the URL's nodes belong to."""
    parts = urlsplit(url)
    login, at, servers = parts.netloc.rpartition("@")
    failure: redis.RedisError | None = None
    for server in servers.split(","):
        node_url = urlunsplit(parts._replace(netloc=f"{login}{at}{server}"))
        try:
            with _client(node_url) as client:
                found = [line.split()[1] for line in _nodes(client)]
        except redis.RedisError as error:
            failure = error
            continue
        host = urlsplit(f"//{server}").hostname
        addresses = [address.partition("@")[0].rpartition(":") for address in found]
        return [
            urlunsplit(parts._replace(netloc=f"{login}{at}{name or host}:{port}"))
            for name, _, port in addresses
        ]
    raise failure or redis.ConnectionError("the URL names no node")


def _meet(nodes: Sequence[Valkey], clients: Sequence[Any]) -> None:
    for node in nodes[1:]:
        clients[0].execute_command("CLUSTER", "MEET", HOST, node.port, node.bus_port)
    _until(
        lambda: all(len(_joined(client)) == len(nodes) for client in clients),
        "every node has joined the others",
    )


def _share_slots(primaries: Sequence[Any]) -> None:
    bounds = [SLOTS * n // len(primaries) for n in range(len(primaries) + 1)]
    for n, client in enumerate(primaries):
        if not _slots_of(client):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
            client.execute_command("CLUSTER", "BUMPEPOCH")


def _replicate(client: Any, primary: str) -> None:
    def replicated() -> bool:
        try:
            client.execute_command("CLUSTER", "REPLICATE", primary)
        except redis.ResponseError:  # the node has not discovered its primary yet
            return False
        return True

    _until(replicated, "a replica has its primary")


def _covered(client: Any) -> bool:
    shared = client.execute_command("CLUSTER", "SLOTS")
    return bool(sum(last - first + 1 for first, last, *_ in shared) == SLOTS)


def _is_ok(client: Any) -> bool:
    """A node that has just started reports `fail` briefly, even in a complete cluster."""
    return b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")


def _replicas(client: Any) -> int:
    return sum("slave" in line.split()[2] for line in _joined(client))


def _slots_of(client: Any) -> list[str]:
    return _myself(client).split()[8:]


def _myself(client: Any) -> str:
    return next(line for line in _nodes(client) if "myself" in line)


def _joined(client: Any) -> list[str]:
    """Without nodes whose handshake is not complete."""
    return [line for line in _nodes(client) if "handshake" not in line]


def _nodes(client: Any) -> list[str]:
    text: bytes = client.execute_command("CLUSTER", "NODES")
    return [line for line in text.decode().splitlines() if line]


@contextmanager
def _clients(nodes: Sequence[Valkey]) -> Iterator[list[Any]]:
    with ExitStack() as stack:
        yield [stack.enter_context(_client(node.url())) for node in nodes]


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"the Redis Cluster is not complete after {_TIMEOUT_S:.0f} s: {what}")
        time.sleep(0.05)
