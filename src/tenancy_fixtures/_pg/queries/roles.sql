-- name: create_role
-- Roles belong to the whole server: another database's installation, or another session right now, may have made it.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', {literal});
        EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', {literal}, {message});
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$do$

-- name: join_role
-- A superuser has every role's rights anyway, and needs no entry.
DO $do$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        GRANT {role} TO CURRENT_USER;
    END IF;
END
$do$

-- name: grant_role
GRANT {role} TO {member}

-- name: register
-- Who makes roles owns the functions that do, and nothing else; nobody is a member of it who is no administrator. The application
-- may become a tenant's role, and has none of its rights before: until PostgreSQL 15 that is said of the role.
ALTER ROLE {registrar} CREATEROLE;
ALTER ROLE {app} NOINHERIT;
GRANT {tenants} TO {registrar} WITH ADMIN OPTION

-- name: create_login
CREATE ROLE {login} LOGIN NOINHERIT PASSWORD {password}

-- name: alter_login
ALTER ROLE {login} LOGIN NOINHERIT PASSWORD {password}

-- name: role_exists
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %(name)s) AS found

-- name: exempt
-- Of the login and these roles, those that policies do not bind.
SELECT r.rolname::text AS role FROM pg_catalog.pg_roles AS r
WHERE (r.rolsuper OR r.rolbypassrls) AND (r.rolname = session_user OR r.rolname = ANY (%(names)s::text[]))
ORDER BY 1

-- name: login_rights
-- What the current login may do that is of interest to us.
SELECT
    r.rolname::text AS login,
    r.rolsuper AS superuser,
    r.rolbypassrls AS bypass_rls,
    r.rolcreaterole AS create_role,
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS create_schema,
    pg_catalog.current_database()::text AS database,
    pg_catalog.current_setting('server_version_num')::int AS server_version
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = session_user
