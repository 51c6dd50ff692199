"""The three real servers of a local stack: PostgreSQL, Valkey (as Redis) and Apache Kafka.

Each prepares its data directory, says how it is run and when it is ready. `make up` has a
supervisor run the command; tests call `start`, which runs it as a child that dies with its parent.
"""

from deploy.local.servers.kafka import Kafka
from deploy.local.servers.postgres import Postgres
from deploy.local.servers.server import Server
from deploy.local.servers.valkey import Valkey

__all__ = ["Kafka", "Postgres", "Server", "Valkey"]
