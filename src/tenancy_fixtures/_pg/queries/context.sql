-- The first statements of an application's transactions, through whatever driver it uses. All of it is local to the
-- transaction: the connection's next user, behind a pooler too, finds nothing of it.

-- name: begin
-- Nothing but PostgreSQL's own is found until the tenant is; of another tenant's settings nothing is left.
SELECT
    pg_catalog.set_config('role', coalesce(%(role)s, 'none'), true),
    pg_catalog.set_config('tenancy.tenant_id', %(tenant)s, true),
    pg_catalog.set_config('tenancy.tenant_uid', '', true),
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)

-- name: enter
-- The tenant is the one that the statement before has set: where that did not last (AUTOCOMMIT), nobody is entered.
SELECT
    t.uid::text AS uid,
    t.namespace::text AS namespace,
    t.state,
    t.isolation,
    w.elsewhere,
    -- Policies do not bind such a role, and they are all that keeps tenants apart that share tables.
    t.isolation = 'row' AND (
        SELECT pg_catalog.bool_or(r.rolsuper OR r.rolbypassrls) FROM pg_catalog.pg_roles AS r WHERE r.rolname IN (CURRENT_USER, SESSION_USER)) AS exempt,
    -- Tenants without roles of their own have one owner for all that they leave in a connection.
    t.role IS NULL AND pg_catalog.pg_my_temp_schema() <> 0 AS leftovers,
    -- A tenant that was adopted has no role, where it is to have one, and gives nobody a right on its schema before its first migration.
    t.owner IS NOT NULL AND n.oid IS NOT NULL AND (
        (t.role IS NULL AND (SELECT i.roles ->> 'registrar' IS NOT NULL FROM tenancy.installation AS i))
        OR NOT pg_catalog.has_schema_privilege(coalesce(t.role, CURRENT_USER), n.oid, 'USAGE')) AS closed,
    CASE WHEN w.here THEN pg_catalog.set_config('tenancy.tenant_uid', t.uid::text, true) END AS entered,
    -- From here on what the tenant's own role may, and nothing of a neighbour's.
    CASE WHEN w.here AND t.role IS NOT NULL THEN pg_catalog.set_config('role', t.role::text, true) END AS role,
    -- Temporary tables come last: of whoever used the session before, none may stand in the place of the tenant's own.
    CASE WHEN w.here THEN pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
        pg_catalog.quote_ident(t.namespace::text),
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.place)
         FROM pg_catalog.json_array_elements_text(CAST(%(shared)s AS json)) WITH ORDINALITY AS s (name, place)),
        'pg_temp'), true) END AS path
FROM tenancy.tenants AS t
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.namespace
-- A tenant with a database of its own is not here, but where that is this one.
CROSS JOIN LATERAL (SELECT t.isolation = 'database' AND t.namespace <> pg_catalog.current_database() AS elsewhere) AS p
CROSS JOIN LATERAL (SELECT p.elsewhere, t.state = 'active' AND NOT p.elsewhere AS here) AS w
WHERE t.tenant_id = pg_catalog.current_setting('tenancy.tenant_id', true)

-- name: discard
DISCARD TEMP

-- name: whose
SELECT pg_catalog.current_setting('tenancy.tenant_id', true) AS tenant, pg_catalog.current_setting('role') AS role
