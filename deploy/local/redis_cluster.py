"""Makes a Redis Cluster of running nodes, and finds the nodes of one."""

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
_SECONDS: Final = 30.0


def form_cluster(nodes: Sequence[Valkey]) -> None:
    """Of empty nodes: the first half are primaries, each with its share of the slots, the others
    are replicas of one each. Repeatable: it completes what a crash has left half done.

    Returns when every node sees a whole cluster with all its replicas.
    """
    primaries, replicas = nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :]
    with _clients(nodes) as clients:
        _meet(nodes, clients)
        if not _covered(clients[0]):
            _share_slots([clients[n] for n in range(len(primaries))])
        _until(lambda: all(map(_covered, clients)), "every slot has a primary everywhere")
        own = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
        for place, client in enumerate(clients[len(primaries) :]):
            if "slave" not in _myself(client) and not _slots_of(client):
                _replicate(client, own[place])
        _until(lambda: _replicas(clients[0]) == len(replicas), "every primary has its replica")
        _until(lambda: all(map(_answers, clients)), "every node says so")


def node_urls(url: str) -> list[str]:
    """The URL of every node, replicas too, of the cluster that one of the URL's nodes is in."""
    parts = urlsplit(url)
    login, at, servers = parts.netloc.rpartition("@")
    failure: redis.RedisError | None = None
    for server in servers.split(","):
        asked = urlunsplit(parts._replace(netloc=f"{login}{at}{server}"))
        try:
            with _client(asked) as client:
                found = [line.split()[1] for line in _nodes(client)]
        except redis.RedisError as error:
            failure = error
            continue
        host = urlsplit(f"//{server}").hostname
        places = [address.partition("@")[0].rpartition(":") for address in found]
        return [
            urlunsplit(parts._replace(netloc=f"{login}{at}{name or host}:{port}"))
            for name, _, port in places
        ]
    raise failure or redis.ConnectionError("no node is named")


def _meet(nodes: Sequence[Valkey], clients: Sequence[Any]) -> None:
    for node in nodes[1:]:
        clients[0].execute_command("CLUSTER", "MEET", HOST, node.port, node.bus_port)
    _until(
        lambda: all(len(_joined(client)) == len(nodes) for client in clients),
        "every node has met every other one",
    )


def _share_slots(primaries: Sequence[Any]) -> None:
    bounds = [SLOTS * place // len(primaries) for place in range(len(primaries) + 1)]
    for place, client in enumerate(primaries):
        if not _slots_of(client):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[place], bounds[place + 1] - 1)
            client.execute_command("CLUSTER", "BUMPEPOCH")


def _replicate(client: Any, primary: str) -> None:
    def known() -> bool:
        try:
            client.execute_command("CLUSTER", "REPLICATE", primary)
        except redis.ResponseError:  # the primary is not known here yet
            return False
        return True

    _until(known, "a replica has its primary")


def _covered(client: Any) -> bool:
    shared = client.execute_command("CLUSTER", "SLOTS")
    return bool(sum(last - first + 1 for first, last, *_ in shared) == SLOTS)


def _answers(client: Any) -> bool:
    """A node that has just started refuses for a moment, even where all is well."""
    return b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")


def _replicas(client: Any) -> int:
    return sum("slave" in line.split()[2] for line in _joined(client))


def _slots_of(client: Any) -> list[str]:
    return _myself(client).split()[8:]


def _myself(client: Any) -> str:
    return next(line for line in _nodes(client) if "myself" in line)


def _joined(client: Any) -> list[str]:
    """Without those that are still shaking hands."""
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
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"the Redis Cluster is not whole after {_SECONDS:.0f} s: {what}")
        time.sleep(0.05)
