-- The relay's lease and cursor, one row for each shard.
-- The cursor names a record that was read back from Kafka; position 0 means none.
CREATE TABLE relay_cursors (
    shard        text PRIMARY KEY REFERENCES shards,
    owner        uuid,
    epoch        bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    position     bigint NOT NULL DEFAULT 0,
    "offset"     bigint NOT NULL DEFAULT -1,
    event_id     uuid,
    timestamp_ms bigint,
    halted       text,
    halted_at    timestamptz
) WITH (fillfactor = 50);

-- Relays say who they are, so that each takes its fair share of the shards.
CREATE TABLE relays (
    id           uuid PRIMARY KEY,
    alive_until  timestamptz NOT NULL
) WITH (fillfactor = 50);
