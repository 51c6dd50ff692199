-- The digest of each script of `functions/` whenever it was applied; the latest is in effect.
CREATE TABLE IF NOT EXISTS schema_functions (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    digest      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON schema_functions TO tandem_command_service, tandem_relay, tandem_log_reader;
