-- The last position of a shard, 0 if it has no event.
CREATE OR REPLACE FUNCTION head(of_shard text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((
        SELECT l.position FROM public.log AS l WHERE l.shard = head.of_shard
        ORDER BY l.position DESC LIMIT 1
    ), 0);
$$;

REVOKE EXECUTE ON FUNCTION head(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION head(text) TO tandem_command_service;
