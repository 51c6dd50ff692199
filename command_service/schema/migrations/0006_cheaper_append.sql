-- Appending looks up each shard's head once, not once for each event; and it is `append` that
-- refuses unknown shards: a foreign key would look them up again for every event.
CREATE OR REPLACE FUNCTION append(
    shards text[], event_ids uuid[], types text[], subjects uuid[],
    actors text[], times timestamptz[], traceparents text[], datas text[]
) RETURNS TABLE (ordinal bigint, shard text, "position" bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted bigint;
    locked bigint;
BEGIN
    SELECT count(DISTINCT name) INTO wanted FROM unnest(append.shards) AS name;
    PERFORM 1 FROM public.shards AS s WHERE s.name = ANY (append.shards) ORDER BY s.name FOR UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> wanted THEN
        RAISE EXCEPTION 'a shard is unknown: PARTITIONS differs from what was migrated';
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
        SELECT s.shard, coalesce((
            SELECT l.position FROM public.log AS l WHERE l.shard = s.shard
            ORDER BY l.position DESC LIMIT 1
        ), 0) AS head
        FROM (SELECT DISTINCT e.shard FROM events AS e) AS s
    ), placed AS (
        SELECT e.*, h.head + row_number() OVER (PARTITION BY e.shard ORDER BY e.ordinal) AS position
        FROM events AS e JOIN heads AS h ON h.shard = e.shard
    ), written AS (
        INSERT INTO public.log AS l
            (shard, position, event_id, type, subject, actor, time, traceparent, data)
        SELECT p.shard, p.position, p.event_id, p.type, p.subject,
               p.actor, p.time, p.traceparent, p.data::json
        FROM placed AS p
    )
    SELECT p.ordinal, p.shard, p.position FROM placed AS p ORDER BY p.ordinal;
END $$;

ALTER TABLE log DROP CONSTRAINT log_shard_fkey;
