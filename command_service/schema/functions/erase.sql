-- Sets personal fields to null in the events of erased users and of the orders of erased users.
-- Other subjects are ignored, so that no role can change the events of anything else.
CREATE OR REPLACE FUNCTION erase(subjects uuid[], fields text[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE public.log AS l
    SET data = (
        SELECT json_object_agg(
            f.key, CASE WHEN f.key = ANY (erase.fields) THEN 'null'::json ELSE f.value END
        )
        FROM json_each(l.data) AS f
    )
    WHERE l.subject = ANY (erase.subjects) AND EXISTS (
        SELECT FROM public.erasures AS e
        WHERE e.user_id = l.subject
           OR e.user_id = (SELECT o.customer_id FROM public.orders AS o WHERE o.id = l.subject)
    );
$$;

REVOKE EXECUTE ON FUNCTION erase(uuid[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase(uuid[], text[]) TO tandem_command_service;
