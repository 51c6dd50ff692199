-- Sets personal fields to null in the events of erased users and of their orders.
CREATE OR REPLACE FUNCTION erase(subjects uuid[], fields text[]) RETURNS void
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

REVOKE EXECUTE ON FUNCTION erase(uuid[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase(uuid[], text[]) TO tandem_command_service;
