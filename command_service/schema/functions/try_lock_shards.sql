-- Locks the rows of the shards that no other transaction has locked, without waiting, and returns
-- their names.
CREATE OR REPLACE FUNCTION try_lock_shards(names text[]) RETURNS SETOF text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.name FROM public.shards AS s WHERE s.name = ANY (try_lock_shards.names)
    ORDER BY s.name FOR UPDATE SKIP LOCKED;
$$;

REVOKE EXECUTE ON FUNCTION try_lock_shards(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION try_lock_shards(text[]) TO tandem_command_service;
