"""Redis and Redis Cluster: settings, clients, and many commands in one round trip."""
