-- Since when a relay has been registered without interruption: a relay that restarts repeatedly has
-- no share of the shards until it has renewed its registration for the duration of a lease.
ALTER TABLE relays ADD COLUMN registered_at timestamptz NOT NULL DEFAULT clock_timestamp();
