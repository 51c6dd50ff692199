"""All scenarios: the fault, the sides that it must not affect, and the limit of the recovery."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from command_service.commands.place_order import MAX_PAYMENT_SECONDS
from faults import previous_version
from faults.generator import PayWithin
from faults.history import Side
from faults.limits import Limits
from faults.nemesis import (
    clients,
    clocks,
    deadlines,
    disks,
    erasures,
    kafka,
    links,
    postgres,
    processes,
    redis,
    replicas,
    restore,
    upgrade,
)
from faults.nemesis.processes import SERVICES, kill_some, pause_some
from faults.system import Environment, Proxies, SystemUnderTest
from faults.topology import REPLICATED, SINGLE, Topology

Nemesis = Callable[[SystemUnderTest, Random, float], Awaitable[None]]
"""Injects faults for a number of seconds, at random times, and ends all of them."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`unavailable_reason` returns why it cannot run on this machine, or None.

    `alone`: in a separate system. `own_disk`: with PostgreSQL on a small disk. `from_previous`:
    started with the previous version.
    """

    name: str
    description: str
    nemesis: Nemesis
    limits: Limits
    proxies: Proxies = "none"
    environment: Environment = field(default_factory=dict)
    alone: bool = False
    own_disk: bool = False
    topology: Topology = SINGLE
    from_previous: bool = False
    pay_within: PayWithin = (None, MAX_PAYMENT_SECONDS)
    unavailable_reason: Callable[[], str | None] = lambda: None


_BOTH: Final[frozenset[Side]] = frozenset(("commands", "reads"))
_HALF_AN_HOUR: Final = 1800
_COMMANDS: Final[frozenset[Side]] = frozenset(("commands",))
_READS: Final[frozenset[Side]] = frozenset(("reads",))


def _processes() -> Iterable[Scenario]:
    yield Scenario("no-fault", "no fault", processes.no_fault, Limits(_BOTH, recovery_s=10))
    yield Scenario(
        "kill",
        "SIGKILL of any process of Tandem at random times",
        kill_some(*SERVICES),
        Limits(unreachable=_BOTH),
    )
    targets: dict[str, Limits] = {
        "command-service": Limits(_READS, unreachable=_COMMANDS),
        "relay": Limits(_BOTH),
        "projector": Limits(_BOTH),
        "query-service": Limits(_COMMANDS, unreachable=_READS),
    }
    for name, limits in targets.items():
        yield Scenario(f"kill-{name}", f"SIGKILL of the {name}", kill_some(name), limits)
    yield Scenario(
        "pause",
        "SIGSTOP of each process of Tandem for seconds",
        pause_some(*SERVICES, min_s=1, max_s=6),
        Limits(unreachable=_BOTH),
    )
    yield Scenario(
        "pause-past-leases",
        "SIGSTOP of relays and projectors until others have taken over",
        processes.pause_past_leases,
        Limits(_BOTH, recovery_s=30),
    )
    yield Scenario(
        "projectors-join-and-leave",
        "a projector joins or leaves every 2 seconds",
        processes.join_and_leave,
        Limits(_BOTH),
    )
    yield Scenario(
        "everything-killed",
        "SIGKILL of all servers and processes at once",
        processes.kill_all,
        Limits(unreachable=_BOTH, recovery_s=30),
    )


def _servers() -> Iterable[Scenario]:
    reads_unaffected, commands_unaffected, both_unaffected = (
        Limits(_READS),
        Limits(_COMMANDS),
        Limits(_BOTH),
    )
    late = Limits(_BOTH, recovery_s=30)
    yield Scenario("postgres-kill", "kill -9 of PostgreSQL", postgres.kill, reads_unaffected)
    yield Scenario("postgres-restart", "PostgreSQL restarted", postgres.restart, reads_unaffected)
    yield Scenario(
        "postgres-rejects",
        "PostgreSQL rejects connections",
        postgres.reject_connections,
        reads_unaffected,
    )
    yield Scenario(
        "postgres-pause", "PostgreSQL stopped by SIGSTOP", postgres.pause, reads_unaffected
    )
    yield Scenario(
        "postgres-shards-locked",
        "a session that is idle in a transaction locks shards",
        postgres.lock_shards,
        reads_unaffected,
    )
    yield Scenario(
        "commit-interrupted",
        "connections are lost directly before or after COMMIT",
        postgres.interrupt_commits,
        reads_unaffected,
        proxies="commit",
    )
    yield Scenario("kafka-kill", "kill -9 of Kafka", kafka.kill, late)
    yield Scenario("kafka-pause", "Kafka stopped by SIGSTOP", kafka.pause, late)
    yield Scenario("kafka-data-lost", "Kafka's data directory is lost", kafka.lose_data, late)
    yield Scenario("kafka-tail-lost", "Kafka's last records are lost", kafka.lose_tail, late)
    yield Scenario("topic-recreated", "topics are deleted", kafka.delete_some_topics, late)
    yield Scenario("redis-kill", "kill -9 of Redis", redis.kill, commands_unaffected)
    yield Scenario("redis-pause", "Redis stopped by SIGSTOP", redis.pause, commands_unaffected)
    yield Scenario("redis-flushall", "Redis emptied", redis.empty, commands_unaffected)
    yield Scenario(
        "redis-full", "Redis rejects writes at its memory limit", redis.fill, both_unaffected
    )
    yield Scenario(
        "redis-aof-truncated",
        "Redis's append-only file is truncated at random",
        redis.truncate_aof,
        commands_unaffected,
    )


def _erasures() -> Iterable[Scenario]:
    yield Scenario(
        "erasure-in-batch",
        "users are renamed and erased by the same batch",
        erasures.rename_and_erase,
        Limits(_READS),
    )


def _payments() -> Iterable[Scenario]:
    yield Scenario(
        "payment-deadlines",
        "many payments are due while two command services are killed",
        deadlines.kill_at_deadlines,
        Limits(_READS, unreachable=_COMMANDS),
        pay_within=(None, None, 1, 2, 5),
    )


def _restored() -> Iterable[Scenario]:
    yield Scenario(
        "postgres-restored",
        "PostgreSQL restored to an older state; recovery by an operator",
        restore.restore_older_state,
        Limits(recovery_s=40),
        alone=True,
    )


def _clients() -> Iterable[Scenario]:
    yield Scenario(
        "clients-disconnect", "thousands of cancelled requests", clients.cancel, Limits(_BOTH)
    )
    yield Scenario(
        "slow-clients",
        "hundreds of clients send a byte per second",
        clients.send_slowly,
        Limits(_BOTH),
    )
    yield Scenario(
        "overload",
        "1500 clients send commands at their maximum rate",
        clients.flood,
        Limits(_READS, recovery_s=40),
        alone=True,
    )


def _machine() -> Iterable[Scenario]:
    yield Scenario(
        "clock-skew",
        "the clock of each process in turn is off by an hour",
        clocks.shift,
        Limits(unreachable=_BOTH),
        alone=True,
        pay_within=(None, _HALF_AN_HOUR),
        unavailable_reason=clocks.unavailable_reason,
    )
    yield Scenario(
        "disk-full",
        "the disk of PostgreSQL is full",
        disks.fill,
        Limits(_READS, recovery_s=30),
        alone=True,
        own_disk=True,
        unavailable_reason=disks.unavailable_reason,
    )


def _replicated() -> Iterable[Scenario]:
    """Three brokers, a Redis Cluster of three primaries with replicas, two of each service."""
    yield Scenario(
        "broker-kill",
        "kill -9 of one of three brokers",
        replicas.kill_brokers,
        Limits(_BOTH, recovery_s=30),
        topology=REPLICATED,
    )
    yield Scenario(
        "redis-failover",
        "kill -9 of a primary of the Redis Cluster",
        replicas.fail_over_redis,
        Limits(_COMMANDS, recovery_s=30),
        topology=REPLICATED,
    )
    yield Scenario(
        "redis-node-hangs",
        "SIGSTOP of a primary of the Redis Cluster",
        replicas.hang_redis_nodes,
        Limits(_COMMANDS, recovery_s=30),
        topology=REPLICATED,
    )
    yield Scenario(
        "replicas-join-and-leave",
        "replicas of all four services join and leave",
        replicas.join_and_leave,
        Limits(_BOTH, recovery_s=30),
        topology=REPLICATED,
    )


def _versions() -> Iterable[Scenario]:
    yield Scenario(
        "rolling-upgrade",
        "the previous version, both, this version, and back",
        upgrade.upgrade_and_roll_back,
        Limits(_BOTH, recovery_s=30),
        alone=True,
        from_previous=True,
        unavailable_reason=previous_version.unavailable_reason,
    )


def _links() -> Iterable[Scenario]:
    targets = {
        "command-service-postgres": Limits(_READS, recovery_s=30),
        "relay-postgres": Limits(_BOTH, recovery_s=30),
        "projector-postgres": Limits(_BOTH, recovery_s=30),
        "relay-kafka": Limits(_BOTH, recovery_s=30),
        "projector-kafka": Limits(_BOTH, recovery_s=30),
        "projector-redis": Limits(_BOTH, recovery_s=30),
        "query-service-redis": Limits(_COMMANDS, recovery_s=30),
    }
    for name, limits in targets.items():
        description = "connections blocked, closed, rejected"
        yield Scenario(f"link-{name}", description, links.interrupt(name), limits, proxies="links")


_FAMILIES: Final = (
    _processes,
    _servers,
    _erasures,
    _payments,
    _restored,
    _clients,
    _machine,
    _replicated,
    _versions,
    _links,
)
SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario for family in _FAMILIES for scenario in family()
}
