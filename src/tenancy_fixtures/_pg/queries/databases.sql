-- Databases of tenants' own: what is done outside of a transaction, and what is written down before it.

-- name: template
SELECT template::text AS template FROM tenancy.installation

-- name: all
-- The template first.
SELECT name, place = 0 AS is_template, adopted FROM (
    SELECT template::text AS name, 0 AS place, false AS adopted FROM tenancy.installation WHERE template IS NOT NULL
    UNION ALL
    SELECT t.namespace::text, 1, t.owner IS NOT NULL FROM tenancy.tenants AS t JOIN pg_catalog.pg_database AS d ON d.datname = t.namespace
    WHERE t.isolation = 'database' AND t.namespace <> pg_catalog.current_database()
) AS n ORDER BY place, name

-- name: set_template
UPDATE tenancy.installation SET template = %(template)s

-- name: wait
-- The server is not to end a transaction that only holds a lock for its idleness.
SELECT pg_catalog.set_config('role', coalesce(%(role)s, 'none'), true), pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true),
    pg_catalog.set_config('lock_timeout', %(wait)s, true)

-- name: stay
SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true)

-- name: intend
INSERT INTO tenancy.intents (tenant_id, uid, namespace, kind) VALUES (%(tenant_id)s, %(uid)s, %(namespace)s, %(kind)s)

-- name: intent
SELECT tenant_id, uid, namespace::text AS namespace, kind FROM tenancy.intents WHERE tenant_id = %(tenant_id)s

-- name: forget
DELETE FROM tenancy.intents WHERE tenant_id = %(tenant_id)s

-- name: become
-- For the session: what follows cannot be in a transaction.
SELECT pg_catalog.set_config('role', coalesce(%(role)s, 'none'), false)

-- name: may_create
SELECT r.rolcreatedb OR r.rolsuper AS may FROM pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER

-- name: find
-- A database is known by its comment: one of somebody else's that has the name is not touched.
SELECT d.oid::bigint AS oid, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
    -- Its drop was interrupted: it can be dropped, and nothing else.
    d.datconnlimit = -2 AS is_invalid
FROM pg_catalog.pg_database AS d WHERE d.datname = %(name)s

-- name: create
CREATE DATABASE {database} TEMPLATE {template}

-- name: describe
COMMENT ON DATABASE {database} IS {comment}

-- name: rename
ALTER DATABASE {database} RENAME TO {name}

-- name: grant
-- Rights on a database are not copied with it.
GRANT TEMPORARY ON DATABASE {database} TO {loader}

-- name: shut
ALTER DATABASE {database} ALLOW_CONNECTIONS false

-- name: end_own
-- The library's own connections, of this process and of others, that pools keep open and nobody uses.
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = %(name)s AND a.usename = SESSION_USER AND a.application_name = %(application)s AND a.state = 'idle'

-- name: end_work
-- Who has died may have left a statement behind that goes on in the server: it is ended, and told of until it is gone.
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a
WHERE a.usename = SESSION_USER AND a.application_name = %(application)s AND a.pid <> pg_catalog.pg_backend_pid() AND a.state = 'active'
  AND pg_catalog.strpos(a.query, %(name)s) > 0

-- name: reopen
ALTER DATABASE {database} ALLOW_CONNECTIONS true

-- name: drop
DROP DATABASE IF EXISTS {database}

-- name: make_template
CREATE DATABASE {database}

-- name: seal_template
ALTER DATABASE {database} IS_TEMPLATE true ALLOW_CONNECTIONS false

-- name: let_create
ALTER ROLE {migrator} CREATEDB
