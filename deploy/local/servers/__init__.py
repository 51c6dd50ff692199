"""The three real servers of a local stack: PostgreSQL, Valkey (as Redis) and Apache Kafka.

Each prepares its data directory and defines its command line and its readiness check. `make up`
runs the command under supervisord; tests run it as a child process.
"""

from deploy.local.servers.kafka import Kafka
from deploy.local.servers.postgres import Postgres
from deploy.local.servers.server import Server
from deploy.local.servers.valkey import Valkey

__all__ = ["Kafka", "Postgres", "Server", "Valkey"]
