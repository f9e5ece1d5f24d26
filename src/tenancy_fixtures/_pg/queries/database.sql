-- name: begin
-- First in every transaction. All of it is local to the transaction, so it is safe behind a pooler as well. Nothing but
-- PostgreSQL's own is found that is not named with its schema; where pg_temp is not said, temporary tables and types of
-- whoever used the session before come first, also before an empty search path.
SELECT
    pg_catalog.set_config('role', coalesce(%(role)s, 'none'), true),
    pg_catalog.set_config('tenancy.tenant_id', %(tenant)s, true),
    pg_catalog.set_config('tenancy.tenant_uid', %(tenant_uid)s, true),
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    -- What a text means as a moment, and what a moment is as text, must not depend on the server's or the login's taste.
    pg_catalog.set_config('TimeZone', 'UTC', true),
    pg_catalog.set_config('DateStyle', 'ISO, MDY', true),
    pg_catalog.set_config('IntervalStyle', 'postgres', true),
    pg_catalog.set_config('lock_timeout', %(lock_timeout)s, true),
    pg_catalog.set_config('statement_timeout', %(statement_timeout)s, true),
    -- Statements over the catalogue look dear to the planner and are cheap: compiling them took up to 200 times as long.
    pg_catalog.set_config('jit', 'off', true)

-- name: enter
-- Whose rows are seen from here on in tables that tenants share, in this transaction alone.
SELECT pg_catalog.set_config('tenancy.tenant_uid', %(tenant_uid)s, true)

-- name: may_become
-- Whether this login may act as a role. From PostgreSQL 16 on each membership says it for itself.
SELECT session_user::text AS login, EXISTS (
    SELECT FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = %(role)s AND pg_catalog.pg_has_role(
        session_user, r.oid, CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)) AS may

-- name: current_role
SELECT pg_catalog.current_setting('role') AS role

-- name: set_role
SELECT pg_catalog.set_config('role', %(role)s, true)

-- name: set_search_path
SELECT pg_catalog.set_config('search_path', %(path)s, true)

-- name: lock
-- Operations on one tenant go one after the other; the lock ends with the transaction. The row is locked, made where it is not there,
-- and never changed.
INSERT INTO tenancy.locks AS l (name) VALUES (%(name)s) ON CONFLICT (name) DO UPDATE SET name = excluded.name WHERE false

-- name: unlock
-- The tenant is going: nothing of it is left.
DELETE FROM tenancy.locks WHERE name = %(name)s

-- name: reset_session
-- DISCARD ALL without the prepared statements: the driver keeps account of those.
RESET SESSION AUTHORIZATION;
RESET ALL;
UNLISTEN *;
CLOSE ALL;
SELECT pg_catalog.pg_advisory_unlock_all();
DISCARD TEMP;
DISCARD SEQUENCES
