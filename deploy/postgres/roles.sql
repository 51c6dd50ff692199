-- Creates Tandem's roles in the current database. Idempotent; run it as an administrator:
-- psql -f roles.sql. Passwords are set separately (ALTER ROLE … PASSWORD); the migrations grant the
-- services' permissions on tables.

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

    -- An administrator who is not a superuser must be a member of the new owner of a database.
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
-- New functions of migrations are not executable until a migration grants them.
ALTER DEFAULT PRIVILEGES FOR ROLE tandem_migrations REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
