"""Every scenario: what is done to the world, what must go on meanwhile, how soon it is over."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from faults import previous
from faults.history import Part
from faults.limits import Limits
from faults.nemesis import (
    clients,
    clocks,
    disks,
    edges,
    kafka,
    postgres,
    processes,
    redis,
    replicas,
    restored,
    upgrading,
)
from faults.nemesis.processes import OURS, kill_some, pause_some
from faults.shape import BIG, SMALL, Shape
from faults.world import Environment, Through, World

Nemesis = Callable[[World, Random, float], Awaitable[None]]
"""Does its harm for so many seconds, at times of its own, and leaves the world whole."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`missing` says why it cannot be run here, or None. `alone`: in a world of its own.

    `own_disk`: with PostgreSQL on a small disk. `from_previous`: begun by the version before.
    """

    name: str
    about: str
    nemesis: Nemesis
    limits: Limits
    through: Through = "nothing"
    environment: Environment = field(default_factory=dict)
    alone: bool = False
    own_disk: bool = False
    shape: Shape = SMALL
    from_previous: bool = False
    missing: Callable[[], str | None] = lambda: None


_BOTH: Final[frozenset[Part]] = frozenset(("commands", "reads"))
_COMMANDS: Final[frozenset[Part]] = frozenset(("commands",))
_READS: Final[frozenset[Part]] = frozenset(("reads",))


def _processes() -> Iterable[Scenario]:
    yield Scenario("calm", "nothing is done", processes.calm, Limits(_BOTH, recovery=10))
    yield Scenario(
        "kill",
        "SIGKILL of any of our processes at random moments",
        kill_some(*OURS),
        Limits(unreachable=_BOTH),
    )
    hit: dict[str, Limits] = {
        "command-service": Limits(_READS, unreachable=_COMMANDS),
        "relay": Limits(_BOTH),
        "projector": Limits(_BOTH),
        "query-service": Limits(_COMMANDS, unreachable=_READS),
    }
    for name, limits in hit.items():
        yield Scenario(f"kill-{name}", f"SIGKILL of the {name}", kill_some(name), limits)
    yield Scenario(
        "pause",
        "SIGSTOP of each of our processes for seconds",
        pause_some(*OURS, shortest=1, longest=6),
        Limits(unreachable=_BOTH),
    )
    yield Scenario(
        "pause-past-leases",
        "SIGSTOP of relays and projectors past lease and session, while others take over",
        processes.pause_past_leases,
        Limits(_BOTH, recovery=30),
    )
    yield Scenario(
        "projectors-come-and-go",
        "a projector joins or leaves every 2 seconds",
        processes.join_and_leave,
        Limits(_BOTH),
    )
    yield Scenario(
        "everything-killed",
        "SIGKILL of all servers and processes at once",
        processes.kill_everything,
        Limits(unreachable=_BOTH, recovery=30),
    )


def _servers() -> Iterable[Scenario]:
    reads_go_on, commands_go_on, both_go_on = Limits(_READS), Limits(_COMMANDS), Limits(_BOTH)
    late = Limits(_BOTH, recovery=30)
    yield Scenario("postgres-kill", "kill -9 of PostgreSQL", postgres.kill, reads_go_on)
    yield Scenario("postgres-restart", "PostgreSQL restarted", postgres.restart, reads_go_on)
    yield Scenario("postgres-refuses", "it refuses connections", postgres.refuse, reads_go_on)
    yield Scenario("postgres-pause", "PostgreSQL stopped by SIGSTOP", postgres.pause, reads_go_on)
    yield Scenario(
        "postgres-shard-held",
        "a session idle in a transaction holds shards",
        postgres.hold_a_shard,
        reads_go_on,
    )
    yield Scenario(
        "commit-cut",
        "the connection ends right before or right after COMMIT",
        postgres.cut_commits,
        reads_go_on,
        through="commit proxy",
    )
    yield Scenario("kafka-kill", "kill -9 of Kafka", kafka.kill, late)
    yield Scenario("kafka-pause", "Kafka stopped by SIGSTOP", kafka.pause, late)
    yield Scenario("kafka-data-lost", "Kafka's data directory is lost", kafka.lose_everything, late)
    yield Scenario("kafka-tail-lost", "its last records are lost", kafka.lose_the_tail, late)
    yield Scenario("topic-made-again", "a topic is deleted", kafka.make_topics_again, late)
    yield Scenario("redis-kill", "kill -9 of Redis", redis.kill, commands_go_on)
    yield Scenario("redis-pause", "Redis stopped by SIGSTOP", redis.pause, commands_go_on)
    yield Scenario("redis-flushall", "Redis emptied", redis.empty, commands_go_on)
    yield Scenario("redis-full", "Redis takes no byte more", redis.fill, both_go_on)
    yield Scenario(
        "redis-file-cut",
        "its append-only file ends at a random byte; restarted twice",
        redis.cut_the_file,
        commands_go_on,
    )


def _restored() -> Iterable[Scenario]:
    yield Scenario(
        "postgres-restored",
        "PostgreSQL restored to an older state; the way out is gone",
        restored.restore_an_older_state,
        Limits(recovery=40),
        alone=True,
    )


def _clients() -> Iterable[Scenario]:
    yield Scenario(
        "clients-go-away", "requests cancelled by the thousand", clients.cancel, Limits(_BOTH)
    )
    yield Scenario(
        "clients-crawl", "hundreds of clients send a byte a second", clients.crawl, Limits(_BOTH)
    )
    yield Scenario(
        "overload",
        "1500 clients send commands as fast as they can",
        clients.flood,
        Limits(_READS, recovery=40),
        alone=True,
    )


def _machine() -> Iterable[Scenario]:
    yield Scenario(
        "clock-wrong",
        "each process in turn lives an hour from now",
        clocks.shift,
        Limits(unreachable=_BOTH),
        alone=True,
        missing=clocks.missing,
    )
    yield Scenario(
        "disk-full",
        "the disk under PostgreSQL is full",
        disks.fill,
        Limits(_READS, recovery=30),
        alone=True,
        own_disk=True,
        missing=disks.missing,
    )


def _big() -> Iterable[Scenario]:
    """Three brokers, a Redis Cluster of three primaries and their replicas, two of each of ours."""
    yield Scenario(
        "broker-kill",
        "kill -9 of one of three brokers",
        replicas.kill_brokers,
        Limits(_BOTH, recovery=30),
        shape=BIG,
    )
    yield Scenario(
        "redis-failover",
        "kill -9 of a primary of the Redis Cluster",
        replicas.fail_redis_over,
        Limits(_COMMANDS, recovery=30),
        shape=BIG,
    )
    yield Scenario(
        "replicas-come-and-go",
        "replicas of all four services join and leave",
        replicas.come_and_go,
        Limits(_BOTH, recovery=30),
        shape=BIG,
    )


def _versions() -> Iterable[Scenario]:
    yield Scenario(
        "rolling-upgrade",
        "the version before, this one beside it, this one alone, and back",
        upgrading.upgrade_and_roll_back,
        Limits(_BOTH, recovery=30),
        alone=True,
        from_previous=True,
        missing=previous.missing,
    )


def _edges() -> Iterable[Scenario]:
    hit = {
        "command-service-postgres": Limits(_READS, recovery=30),
        "relay-postgres": Limits(_BOTH, recovery=30),
        "projector-postgres": Limits(_BOTH, recovery=30),
        "relay-kafka": Limits(_BOTH, recovery=30),
        "projector-kafka": Limits(_BOTH, recovery=30),
        "projector-redis": Limits(_BOTH, recovery=30),
        "query-service-redis": Limits(_COMMANDS, recovery=30),
    }
    for name, limits in hit.items():
        about = "cut in either direction, dropped, refused"
        yield Scenario(f"edge-{name}", about, edges.cut(name), limits, through="edges")


_FAMILIES: Final = (_processes, _servers, _restored, _clients, _machine, _big, _versions, _edges)
SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario for family in _FAMILIES for scenario in family()
}
