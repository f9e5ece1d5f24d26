-- name: exists
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'tenancy' AND c.relname = 'installation'
) AS found

-- name: read
SELECT version, roles FROM tenancy.installation

-- name: installed_at
SELECT installed_at FROM tenancy.installation

-- name: lock
-- Two administrators, or two first uses of an embedded server, at once: one waits.
-- An advisory lock asks for no right, and a tenant's login could hold it: where there are tenants it is the table's.
DO $do$
BEGIN
    IF pg_catalog.to_regclass('tenancy.installation') IS NOT NULL
        AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('tenancy.installation'), 'UPDATE')
    THEN
        LOCK TABLE tenancy.installation IN SHARE ROW EXCLUSIVE MODE;
    ELSE
        PERFORM pg_catalog.pg_advisory_xact_lock(8377142101);
    END IF;
END
$do$

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS tenancy

-- name: own_schema
ALTER SCHEMA tenancy OWNER TO {owner}

-- name: become
SET LOCAL ROLE {role}

-- name: become_login
RESET ROLE

-- name: record_installation
INSERT INTO tenancy.installation (version, roles) VALUES ({version}, {roles})
ON CONFLICT (singleton) DO UPDATE SET version = excluded.version, roles = excluded.roles

-- name: record_migration
INSERT INTO tenancy.migrations (number, name, digest) VALUES ({number}, {name}, {digest})

-- name: grant_to_all
-- The version and the roles' names are what a login needs before it can switch to a role.
GRANT USAGE ON SCHEMA tenancy TO PUBLIC;
GRANT SELECT ON tenancy.installation TO PUBLIC

-- name: grant_migrator
GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.tenants, tenancy.revisions, tenancy.ledger, tenancy.loaded_keys, tenancy.checksums, tenancy.row_digests,
    tenancy.config, tenancy.shared_schemas, tenancy.intents, tenancy.locks, tenancy.adoptions TO {migrator};
GRANT SELECT, INSERT, UPDATE ON tenancy.runs, tenancy.steps TO {migrator};
GRANT SELECT, INSERT (tenant_id, uid, run_id, action, detail) ON tenancy.audit_log TO {migrator};
GRANT SELECT ON tenancy.migrations TO {migrator};
GRANT EXECUTE ON FUNCTION tenancy.give_namespace(name, name) TO {migrator}

-- name: grant_loader
GRANT SELECT ON tenancy.tenants, tenancy.revisions, tenancy.config, tenancy.shared_schemas TO {loader};
GRANT SELECT, INSERT, UPDATE ON tenancy.runs, tenancy.steps TO {loader};
GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.ledger, tenancy.loaded_keys, tenancy.checksums, tenancy.row_digests, tenancy.locks TO {loader};
GRANT SELECT, INSERT (tenant_id, uid, run_id, action, detail) ON tenancy.audit_log TO {loader}

-- name: grant_app
GRANT SELECT ON tenancy.tenants, tenancy.config TO {app}

-- name: grant_auditor
GRANT SELECT ON ALL TABLES IN SCHEMA tenancy TO {auditor}

-- name: confine_script
-- A function's new owner needs CREATE on its schema, for that moment only.
GRANT CREATE ON SCHEMA tenancy TO {script};
GRANT EXECUTE ON FUNCTION tenancy.run_script(text) TO {migrator};
ALTER FUNCTION tenancy.run_script(text) SECURITY DEFINER;
ALTER FUNCTION tenancy.run_script(text) OWNER TO {script};
REVOKE CREATE ON SCHEMA tenancy FROM {script}

-- name: confine_registrar
GRANT CREATE ON SCHEMA tenancy TO {registrar};
GRANT EXECUTE ON FUNCTION tenancy.make_tenant_role(uuid), tenancy.join_tenants(uuid), tenancy.drop_tenant_role(uuid),
    tenancy.set_tenant_login(uuid, name, text) TO {migrator};
ALTER FUNCTION tenancy.make_tenant_role(uuid) SECURITY DEFINER;
ALTER FUNCTION tenancy.make_tenant_role(uuid) OWNER TO {registrar};
ALTER FUNCTION tenancy.join_tenants(uuid) SECURITY DEFINER;
ALTER FUNCTION tenancy.join_tenants(uuid) OWNER TO {registrar};
ALTER FUNCTION tenancy.drop_tenant_role(uuid) SECURITY DEFINER;
ALTER FUNCTION tenancy.drop_tenant_role(uuid) OWNER TO {registrar};
ALTER FUNCTION tenancy.set_tenant_login(uuid, name, text) SECURITY DEFINER;
ALTER FUNCTION tenancy.set_tenant_login(uuid, name, text) OWNER TO {registrar};
REVOKE CREATE ON SCHEMA tenancy FROM {registrar}

-- name: may_make_schemas
-- A GRANT by somebody who has no right to give is only a warning.
SELECT pg_catalog.has_database_privilege(%(role)s, pg_catalog.current_database(), 'CREATE') AS may

-- name: may_make_roles
SELECT r.rolcreaterole
    AND EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS t ON t.oid = m.roleid
                WHERE m.member = r.oid AND t.rolname = %(tenants)s AND m.admin_option)
    -- From PostgreSQL 16 on each membership says it for itself.
    AND (pg_catalog.current_setting('server_version_num')::integer >= 160000
         OR NOT (SELECT a.rolinherit FROM pg_catalog.pg_roles AS a WHERE a.rolname = %(app)s)) AS may
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = %(registrar)s

-- name: grant_database
GRANT CREATE, TEMPORARY ON DATABASE {database} TO {migrator};
GRANT TEMPORARY ON DATABASE {database} TO {loader}
