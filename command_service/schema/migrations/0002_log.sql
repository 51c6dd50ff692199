-- The log: the source of truth. Each shard counts 1, 2, 3, ... in commit order, without a hole.

-- Never updated: appending locks these rows, and a lock on a row that never changes leaves no bloat.
CREATE TABLE shards (
    name        text PRIMARY KEY
);

CREATE TABLE log (
    shard       text NOT NULL REFERENCES shards,
    position    bigint NOT NULL CHECK (position > 0),
    event_id    uuid NOT NULL,
    type        text NOT NULL,
    subject     uuid NOT NULL,
    actor       text,
    time        timestamptz NOT NULL,
    traceparent text,
    data        json NOT NULL CHECK (octet_length(data::text) <= 900000),
    PRIMARY KEY (shard, position)
);

-- Appends events, given as arrays of equal length, and says where each of them stands.
-- The shards' rows are locked in name order; the positions are read in a second statement, whose
-- snapshot is taken after the locks. COMMIT must follow at once: every other writer waits for it.
CREATE FUNCTION append(
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
    ), heads AS (
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

-- The last position of a shard: what an answer that changed nothing stands for.
CREATE FUNCTION head(of_shard text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((
        SELECT l.position FROM public.log AS l WHERE l.shard = head.of_shard
        ORDER BY l.position DESC LIMIT 1
    ), 0);
$$;

-- Nulls personal fields in the events of erased users and of their orders.
CREATE FUNCTION erase(subjects uuid[], fields text[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE public.log AS l
    SET data = (
        SELECT json_object_agg(
            f.key, CASE WHEN f.key = ANY (erase.fields) THEN 'null'::json ELSE f.value END
        )
        FROM json_each(l.data) AS f
    )
    WHERE l.subject = ANY (erase.subjects);
$$;
CREATE INDEX log_by_subject ON log (subject);

REVOKE EXECUTE ON FUNCTION append(text[], uuid[], text[], uuid[], text[], timestamptz[], text[], text[]) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION head(text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION erase(uuid[], text[]) FROM PUBLIC;
