-- Sets personal fields to null in up to `max_events` events of an erased user, from the position
-- after `after` on. Returns the position of the last event that it read; null if there was none.
CREATE OR REPLACE FUNCTION erase_events(
    user_id uuid, after bigint, max_events integer, fields text[]
) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH events AS (
        SELECT l.shard, l.position FROM public.log AS l
        WHERE l.subject = erase_events.user_id AND l.position > erase_events.after
          AND EXISTS (SELECT FROM public.erasures AS e WHERE e.user_id = erase_events.user_id)
        ORDER BY l.position LIMIT erase_events.max_events
    ), erased AS (
        UPDATE public.log AS l
        SET data = (
            SELECT json_object_agg(
                f.key, CASE WHEN f.key = ANY (erase_events.fields) THEN 'null' ELSE f.value END
            )
            FROM json_each(l.data) AS f
        )
        FROM events AS e
        WHERE l.shard = e.shard AND l.position = e.position AND EXISTS (
            SELECT FROM json_each(l.data) AS f
            WHERE f.key = ANY (erase_events.fields) AND json_typeof(f.value) <> 'null'
        )
    )
    SELECT max(e.position) FROM events AS e;
$$;

REVOKE EXECUTE ON FUNCTION erase_events(uuid, bigint, integer, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_events(uuid, bigint, integer, text[]) TO tandem_command_service;
