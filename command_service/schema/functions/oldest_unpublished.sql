-- The age in seconds of the oldest event that no relay has read back from Kafka. Cursors advance
-- when relays reconcile, so a few seconds are normal; a growing age is not, and is reported even
-- if no relay is alive.
CREATE OR REPLACE FUNCTION oldest_unpublished() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.time)), 0)::double precision
    FROM public.relay_cursors AS c
    JOIN public.log AS l ON l.shard = c.shard AND l.position = c.position + 1;
$$;

REVOKE EXECUTE ON FUNCTION oldest_unpublished() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oldest_unpublished() TO tandem_command_service;
