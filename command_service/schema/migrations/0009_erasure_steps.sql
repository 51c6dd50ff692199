-- Erasures proceed in steps: the last position of the user's events that was erased, and the time
-- of the last step, so that each step continues the erasure that has waited longest.
ALTER TABLE erasures
    ADD COLUMN erased_through bigint NOT NULL DEFAULT 0,
    ADD COLUMN stepped_at timestamptz NOT NULL DEFAULT '-infinity';
