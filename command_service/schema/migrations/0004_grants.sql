-- Each process may do what its job needs, and no more.
GRANT USAGE ON SCHEMA public TO tandem_command_service, tandem_relay, tandem_log_reader;

GRANT SELECT, INSERT, UPDATE ON users, products, orders TO tandem_command_service;
GRANT SELECT, INSERT, UPDATE ON erasures TO tandem_command_service;
GRANT SELECT ON installation TO tandem_command_service;
GRANT SELECT, INSERT ON order_lines TO tandem_command_service;
GRANT SELECT, INSERT, DELETE ON batches, answers TO tandem_command_service;
GRANT SELECT ON shards TO tandem_command_service, tandem_relay, tandem_log_reader;
GRANT EXECUTE ON FUNCTION append(text[], uuid[], text[], uuid[], text[], timestamptz[], text[], text[]) TO tandem_command_service;
GRANT EXECUTE ON FUNCTION head(text) TO tandem_command_service;
GRANT EXECUTE ON FUNCTION erase(uuid[], text[]) TO tandem_command_service;

GRANT SELECT ON log TO tandem_relay, tandem_log_reader;
GRANT SELECT, UPDATE ON relay_cursors TO tandem_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON relays TO tandem_relay;
GRANT SELECT ON schema_migrations TO tandem_command_service, tandem_relay, tandem_log_reader;
