-- Appends events, passed as arrays of equal length, and returns the position of each.
-- The rows of the shards are locked in name order; the positions are read in a second statement,
-- whose snapshot is taken after the locks. COMMIT must follow at once, because every other writer
-- waits for it. The times within a shard never decrease, except after a clock that was wrong by
-- more than a minute: otherwise one wrong time would determine all later ones. Unknown shards are rejected here: a foreign key would check them per event.
CREATE OR REPLACE FUNCTION append(
    shards text[], event_ids uuid[], types text[], subjects uuid[],
    actors text[], times timestamptz[], traceparents text[], datas text[]
) RETURNS TABLE (ordinal bigint, shard text, "position" bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    expected bigint;
    locked bigint;
BEGIN
    SELECT count(DISTINCT name) INTO expected FROM unnest(append.shards) AS name;
    PERFORM 1 FROM public.shards AS s WHERE s.name = ANY (append.shards) ORDER BY s.name FOR UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> expected THEN
        RAISE EXCEPTION 'unknown shard: PARTITIONS differs from the database';
    END IF;
    RETURN QUERY
    WITH events AS (
        SELECT * FROM unnest(
            append.shards, append.event_ids, append.types, append.subjects,
            append.actors, append.times, append.traceparents, append.datas
        ) WITH ORDINALITY AS e (
            shard, event_id, type, subject, actor, time, traceparent, data, ordinal
        )
    ), heads AS MATERIALIZED (
        -- One lookup per shard, not one per event.
        SELECT s.shard, coalesce(l.position, 0) AS head, l.time AS last_time
        FROM (SELECT DISTINCT e.shard FROM events AS e) AS s
        LEFT JOIN LATERAL (
            SELECT l.position, l.time FROM public.log AS l WHERE l.shard = s.shard
            ORDER BY l.position DESC LIMIT 1
        ) AS l ON true
    ), timed AS (
        SELECT e.*, max(e.time) OVER (PARTITION BY e.shard ORDER BY e.ordinal) AS at
        FROM events AS e
    ), placed AS (
        SELECT e.ordinal, e.shard, e.event_id, e.type, e.subject, e.actor, e.traceparent, e.data,
               CASE WHEN h.last_time > e.at AND h.last_time < e.at + interval '1 minute'
                    THEN h.last_time ELSE e.at END AS time,
               h.head + row_number() OVER (PARTITION BY e.shard ORDER BY e.ordinal) AS position
        FROM timed AS e JOIN heads AS h ON h.shard = e.shard
    ), written AS (
        INSERT INTO public.log AS l
            (shard, position, event_id, type, subject, actor, time, traceparent, data)
        SELECT p.shard, p.position, p.event_id, p.type, p.subject,
               p.actor, p.time, p.traceparent, p.data::json
        FROM placed AS p
    )
    SELECT p.ordinal, p.shard, p.position FROM placed AS p ORDER BY p.ordinal;
END $$;

REVOKE EXECUTE ON FUNCTION append(text[], uuid[], text[], uuid[], text[], timestamptz[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append(text[], uuid[], text[], uuid[], text[], timestamptz[], text[], text[]) TO tandem_command_service;
