-- A role for each tenant: what an application's session acts as, once it has said whose it is. Only it has rights on the tenant's
-- schema, so a statement that names a neighbour's is refused by the server. The role cannot log in unless it is given a password.
ALTER TABLE tenancy.tenants ADD COLUMN role name;
COMMENT ON COLUMN tenancy.tenants.role IS 'The role that has the application''s rights on this tenant; null where the application''s own role has them.';

-- A login that is a tenant's role stays that tenant's, whatever it sets and whatever role it takes: a session's user cannot be changed.
CREATE OR REPLACE FUNCTION tenancy.tenant_uid() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN SESSION_USER::text ~ '^tenancy_t_[0-9a-f]{32}$' THEN substr(SESSION_USER::text, 11)::uuid
    WHEN CURRENT_USER::text ~ '^tenancy_t_[0-9a-f]{32}$' THEN substr(CURRENT_USER::text, 11)::uuid
    ELSE nullif(current_setting('tenancy.tenant_uid', true), '')::uuid
END;

-- The functions that follow are run with the rights of a role that may make roles and that nobody is a member of (given by
-- confine_registrar). Each acts on roles of this one form of name alone, and is for the migrator.
CREATE FUNCTION tenancy.make_tenant_role(tenant uuid) RETURNS name
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role_name name := 'tenancy_t_' || replace(tenant::text, '-', '');
    app name := (SELECT i.roles ->> 'app' FROM tenancy.installation AS i);
BEGIN
    -- A copy of this database on the same server has the same tenants.
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
    -- The application may become the tenant, and has none of its rights before. Until PostgreSQL 15 it is NOINHERIT that says so.
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', role_name, app);
    ELSE
        EXECUTE format('GRANT %I TO %I', role_name, app);
    END IF;
    RETURN role_name;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.make_tenant_role(uuid) FROM PUBLIC;

-- Makes the role one of all tenants'. Last in a transaction: from PostgreSQL 16 on whoever adds a member locks the group, on the whole
-- server, until he commits.
CREATE FUNCTION tenancy.join_tenants(tenant uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role_name name := 'tenancy_t_' || replace(tenant::text, '-', '');
    everyone name := (SELECT i.roles ->> 'tenants' FROM tenancy.installation AS i);
BEGIN
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET FALSE', everyone, role_name);
    ELSE
        EXECUTE format('GRANT %I TO %I', everyone, role_name);
    END IF;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.join_tenants(uuid) FROM PUBLIC;

-- False where the role has to stay. Another database of the server, a copy of this one, still has something that it has rights on: then
-- it is left as it is. Or its own login has made something that is in no schema: then nobody can log in as it any more, and it has no rights.
CREATE FUNCTION tenancy.drop_tenant_role(tenant uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role_name name := 'tenancy_t_' || replace(tenant::text, '-', '');
    everyone name := (SELECT i.roles ->> 'tenants' FROM tenancy.installation AS i);
BEGIN
    EXECUTE format('DROP ROLE IF EXISTS %I', role_name);
    RETURN true;
EXCEPTION
    WHEN dependent_objects_still_exist THEN
        IF NOT EXISTS (
            SELECT FROM pg_shdepend AS d
            WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = role_name)
              AND d.dbid NOT IN (0, (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())))
        THEN
            EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', role_name);
            EXECUTE format('REVOKE %I FROM %I', everyone, role_name);
        END IF;
        RETURN false;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.drop_tenant_role(uuid) FROM PUBLIC;

-- Lets the role log in with the password that the verifier is of, and find the tenant's schema first; without one it may not any more.
CREATE FUNCTION tenancy.set_tenant_login(tenant uuid, namespace name, verifier text) RETURNS name
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role_name name := 'tenancy_t_' || replace(tenant::text, '-', '');
BEGIN
    IF verifier IS NULL THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', role_name);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET search_path', role_name, current_database());
    ELSIF verifier !~ '^SCRAM-SHA-256\$' THEN
        RAISE EXCEPTION 'a password comes as its verifier' USING ERRCODE = 'invalid_password';
    ELSE
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role_name, verifier);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I, pg_temp', role_name, current_database(), namespace);
    END IF;
    RETURN role_name;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.set_tenant_login(uuid, name, text) FROM PUBLIC;
