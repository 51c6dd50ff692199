"""The contracts between the services: ids, shards, tokens, events, documents, Redis keys."""
