-- The roles of Tandem in the database that this connection is to. An administrator runs it, as
-- often as they like: psql -f roles.sql. Passwords are set apart from it (ALTER ROLE … PASSWORD);
-- what the services may do with the tables, the migrations grant.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'tandem_migrations', 'tandem_command_service', 'tandem_relay', 'tandem_log_reader'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOCREATEDB NOCREATEROLE NOINHERIT', role);
    END LOOP;

    -- An administrator who is no superuser gives a database only to a role it is a member of.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT tandem_migrations TO %I', current_user);
    END IF;

    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I'
        ' TO tandem_migrations, tandem_command_service, tandem_relay, tandem_log_reader',
        current_database());
    EXECUTE format('ALTER DATABASE %I OWNER TO tandem_migrations', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO tandem_migrations;
GRANT USAGE ON SCHEMA public TO tandem_command_service, tandem_relay, tandem_log_reader;
-- A function that a migration makes can be called by nobody until the migration grants it.
ALTER DEFAULT PRIVILEGES FOR ROLE tandem_migrations REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
