-- Payments of orders, and what is due when.
ALTER TABLE orders
    ADD COLUMN payment           text NOT NULL DEFAULT 'none',
    ADD COLUMN payment_due_at    timestamptz,
    ADD COLUMN payment_reference text,
    ADD COLUMN refund_reference  text;

-- One row for each aggregate that a process will act on: written and deleted in the transactions
-- that write the events. `version` is the aggregate's: the process acts only if it is unchanged.
-- `claimed_until` keeps other replicas from sending the same command.
CREATE TABLE deadlines (
    process       text NOT NULL,
    subject       uuid NOT NULL,
    version       integer NOT NULL,
    due_at        timestamptz NOT NULL,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (process, subject)
) WITH (fillfactor = 80);
CREATE INDEX deadlines_by_time ON deadlines (due_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON deadlines TO tandem_command_service;
