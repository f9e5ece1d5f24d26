-- Queries of a pack over a tenant's tables: they may read those and nothing else, and their answer comes back as a setting.

-- name: lend
-- What the role at work may give away: tables that others have made in the schema are none of the pack's.
SELECT c.relname::text AS name
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND c.relkind IN ('r', 'p', 'v', 'm') AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
ORDER BY 1

-- name: lend_schema
GRANT USAGE ON SCHEMA {schema} TO {script}

-- name: lend_tables
GRANT SELECT ON {tables} TO {script}

-- name: read_only
SET TRANSACTION READ ONLY

-- name: limit_time
SELECT pg_catalog.set_config('statement_timeout', %(timeout)s, true)

-- name: ask
SELECT pg_catalog.set_config('tenancy.found', (
    SELECT pg_catalog.json_build_object('rows', pg_catalog.count(*), 'keys', pg_catalog.json_agg(found.key) FILTER (WHERE found.place <= {listed}))::pg_catalog.text
    FROM (
        SELECT pg_catalog.row_number() OVER () AS place, pg_catalog.to_json(answer) AS key
        FROM (SELECT * FROM (
{query}
) AS asked LIMIT {limit}) AS answer
    ) AS found
), true)

-- name: answer
SELECT pg_catalog.current_setting('tenancy.found', true) AS found
