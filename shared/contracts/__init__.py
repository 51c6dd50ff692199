"""What the services agree on: ids, shards, tokens, events, documents and where views are kept."""
