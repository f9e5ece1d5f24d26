-- Sessions of events.

-- name: tables
SELECT count(*) AS count, coalesce(bool_and(EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = %(tenant_column)s AND NOT a.attisdropped)), false) AS shared
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND c.relname = ANY (%(names)s::text[]) AND c.relkind IN ('r', 'p')

-- name: stale
SELECT EXISTS (SELECT FROM {visitors} WHERE is_stale) AS found

-- name: make_stale
UPDATE {visitors} SET is_stale = true WHERE NOT is_stale

-- name: derive
-- All sessions of a stale visitor, since an event that comes late may join two of them. What a file says of a session stays.
WITH stale AS MATERIALIZED (
    SELECT visitor_id FROM {visitors} WHERE is_stale
), apart AS (
    SELECT e.*, CASE WHEN e.session_key IS NOT NULL OR e.occurred_at - lag(e.occurred_at) OVER previous <= interval {inactivity} THEN 0 ELSE 1 END AS begins
    FROM stale JOIN {events} AS e USING (visitor_id)
    WHERE pg_catalog.isfinite(e.occurred_at)
    WINDOW previous AS (PARTITION BY e.visitor_id, e.session_key ORDER BY e.occurred_at, e.event_id)
), numbered AS (
    SELECT a.*, sum(a.begins) OVER (PARTITION BY a.visitor_id, a.session_key ORDER BY a.occurred_at, a.event_id) AS number FROM apart AS a
), computed AS MATERIALIZED (
    SELECT visitor_id,
        coalesce(session_key, to_char(min(occurred_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS session_key,
        (array_agg(user_id ORDER BY occurred_at DESC, event_id DESC) FILTER (WHERE user_id IS NOT NULL))[1] AS user_id,
        min(occurred_at) AS started_at, max(occurred_at) AS ended_at, count(*)::integer AS events,
        (count(*) FILTER (WHERE name IN ('page_view', 'page', 'screen_view', 'screen')))::integer AS page_views,
        (array_agg(page_url ORDER BY occurred_at, event_id) FILTER (WHERE page_url IS NOT NULL))[1] AS first_page,
        (array_agg(page_url ORDER BY occurred_at DESC, event_id DESC) FILTER (WHERE page_url IS NOT NULL))[1] AS last_page,
        (array_agg(referrer ORDER BY occurred_at, event_id) FILTER (WHERE referrer IS NOT NULL))[1] AS referrer
    FROM numbered GROUP BY visitor_id, numbered.session_key, number
), gone AS (
    DELETE FROM {sessions} AS s USING stale
    WHERE s.visitor_id = stale.visitor_id AND s.is_derived
      AND NOT EXISTS (SELECT FROM computed AS c WHERE c.visitor_id = s.visitor_id AND c.session_key = s.session_key)
    RETURNING 1
), written AS (
    INSERT INTO {sessions} AS s (visitor_id, session_key, user_id, started_at, ended_at, events, page_views, first_page, last_page, referrer, is_derived)
    SELECT visitor_id, session_key, user_id, started_at, ended_at, events, page_views, first_page, last_page, referrer, true FROM computed
    ON CONFLICT ({tenant}visitor_id, session_key) DO UPDATE SET user_id = excluded.user_id, started_at = excluded.started_at, ended_at = excluded.ended_at,
        events = excluded.events, page_views = excluded.page_views, first_page = excluded.first_page, last_page = excluded.last_page, referrer = excluded.referrer
    WHERE s.is_derived AND (s.user_id, s.started_at, s.ended_at, s.events, s.page_views, s.first_page, s.last_page, s.referrer)
        IS DISTINCT FROM (excluded.user_id, excluded.started_at, excluded.ended_at, excluded.events, excluded.page_views, excluded.first_page, excluded.last_page, excluded.referrer)
    RETURNING 1
), known AS (
    UPDATE {visitors} AS v SET is_stale = false, user_id = coalesce(last.user_id, v.user_id)
    FROM stale LEFT JOIN (SELECT DISTINCT ON (visitor_id) visitor_id, user_id FROM computed WHERE user_id IS NOT NULL ORDER BY visitor_id, ended_at DESC) AS last USING (visitor_id)
    WHERE v.visitor_id = stale.visitor_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM known) AS visitors, (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM gone) AS removed
