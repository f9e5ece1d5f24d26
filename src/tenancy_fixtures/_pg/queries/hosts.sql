-- What Alembic's own runs need of the registry, and say first on their connections. It is the session's, and its connection is closed afterwards.

-- name: exists
SELECT pg_catalog.to_regclass('tenancy.installation') IS NOT NULL AS found

-- name: read_registry
-- As who may read it.
SELECT pg_catalog.set_config('role', coalesce(i.roles ->> 'migrator', 'none'), false) FROM tenancy.installation AS i

-- name: tenants
-- One that was adopted with its database is its owner's, in a schema that only its own registry knows: Alembic runs there as it did before.
SELECT t.tenant_id, t.namespace::text AS namespace, t.isolation, t.isolation <> 'row' AND (t.isolation <> 'database' OR t.owner IS NULL) AS own,
    pg_catalog.array_remove(ARRAY[i.roles ->> 'loader', coalesce(t.role::text, i.roles ->> 'app')], NULL) AS users
FROM tenancy.tenants AS t CROSS JOIN tenancy.installation AS i
ORDER BY t.tenant_id COLLATE "C"

-- name: act
-- For whom the schema belongs to, where the login may; no row where there is no such schema.
SELECT CASE WHEN pg_catalog.pg_has_role(SESSION_USER, r.oid, 'MEMBER') THEN pg_catalog.set_config('role', r.rolname::text, false) END AS role
FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
WHERE n.nspname = %(namespace)s

-- name: set_search_path
SELECT pg_catalog.set_config('search_path', %(path)s, false)
