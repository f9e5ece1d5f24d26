-- Schemas that the tenants of a pack share.

-- name: add
INSERT INTO tenancy.shared_schemas (namespace, uid, pack, release) VALUES (%(namespace)s, %(uid)s, %(pack)s, %(release)s)
ON CONFLICT (pack) DO NOTHING

-- name: of_pack
-- Whoever moves it waits until a tenant that comes to it is there.
SELECT namespace::text AS namespace, uid, release, revision FROM tenancy.shared_schemas WHERE pack = %(pack)s FOR SHARE

-- name: of_namespace
SELECT uid FROM tenancy.shared_schemas WHERE namespace = %(namespace)s

-- name: set_release
UPDATE tenancy.shared_schemas SET revision = %(revision)s, release = %(release)s, updated_at = now() WHERE namespace = %(namespace)s

-- name: set_tenants_release
UPDATE tenancy.tenants SET revision = %(revision)s, release = %(release)s, updated_at = now() WHERE namespace = %(namespace)s AND isolation = 'row'

-- name: remove_ledgers
WITH own AS MATERIALIZED (
    SELECT uid FROM tenancy.tenants WHERE namespace = %(namespace)s AND isolation = 'row'
), forgotten AS (
    DELETE FROM tenancy.loaded_keys AS k USING own WHERE k.uid = own.uid
), unrecorded AS (
    DELETE FROM tenancy.checksums AS c USING own WHERE c.uid = own.uid
)
DELETE FROM tenancy.ledger AS l USING own WHERE l.uid = own.uid

-- name: tables
-- Every table of a schema and its partitions: ``own`` says that each row says whose it is, ``forced`` that policies hold for everybody,
-- ``policed`` that there is the one that shows a tenant its own rows, ``widened`` that another one shows more, ``narrowed`` less.
SELECT c.relname::text AS name, c.relispartition AS part, c.relrowsecurity AND c.relforcerowsecurity AS forced,
    -- To read the text of a default is to lock its table: of no others than these (which OFFSET says to the planner).
    EXISTS (SELECT FROM (
                SELECT d.adbin, d.adrelid FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = c.oid AND a.attname = %(column)s AND a.attnotnull AND a.atttypid = 'uuid'::pg_catalog.regtype OFFSET 0) AS d
            WHERE pg_catalog.pg_get_expr(d.adbin, d.adrelid) = %(uid)s) AS own,
    EXISTS (SELECT FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = c.oid AND p.polname = %(policy)s AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
              AND pg_catalog.pg_get_expr(p.polqual, c.oid) = %(test)s AND pg_catalog.pg_get_expr(p.polwithcheck, c.oid) = %(test)s) AS policed,
    EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid AND p.polname <> %(policy)s AND p.polpermissive) AS widened,
    EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid AND NOT p.polpermissive) AS narrowed
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
ORDER BY c.relname

-- name: plan_for_any_tenant
-- A tenant that came after the last ANALYZE is taken to have next to no rows, whatever index leads to them: with plans made for it, the check of
-- each reference went through all of its rows, and 90,000 rows took half a minute to go instead of a second.
SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)

-- name: delete
DELETE FROM {table} WHERE {column} = {uid}

-- name: delete_beside
-- Tables that refer to each other in a circle lose their rows at once: references are looked at when the statement has ended.
WITH {others} SELECT {counts}

-- name: delete_one
{name} AS (DELETE FROM {table} WHERE {column} = {uid} RETURNING 1)

-- name: count
SELECT {counts}

-- name: count_one
(SELECT count(*) FROM {table} WHERE {column} = {uid}) AS {name}

-- name: lock
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT

-- name: unfilter
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY
