-- The control plane: who the tenants are, what was done to them, and the trace of it.

CREATE TABLE tenancy.installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version integer NOT NULL,
    roles jsonb NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenancy.installation IS 'One row: the version of this control plane and the roles that it works with.';

CREATE TABLE tenancy.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenancy.migrations IS 'Which numbered scripts made this control plane.';

CREATE TABLE tenancy.tenants (
    uid uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id text NOT NULL CHECK (tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
    namespace name NOT NULL,
    isolation text NOT NULL DEFAULT 'schema' CHECK (isolation IN ('schema', 'row', 'database')),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'quarantined')),
    tier text NOT NULL,
    features text[] NOT NULL DEFAULT '{}',
    limits jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    pack text NOT NULL,
    release text NOT NULL,
    revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_tenant_id_key UNIQUE (tenant_id),
    CONSTRAINT tenants_namespace_key UNIQUE (namespace)
);
COMMENT ON TABLE tenancy.tenants IS 'The registry: one row for each tenant. All else hangs on uid, which never changes and is never used again.';
COMMENT ON COLUMN tenancy.tenants.release IS 'Digest of the pack that the tenant was last brought to.';
COMMENT ON COLUMN tenancy.tenants.revision IS 'Number of the last revision of the pack that the schema has.';

CREATE TABLE tenancy.runs (
    run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id text NOT NULL,
    uid uuid,
    operation text NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'succeeded', 'failed', 'crashed')),
    idempotency_key text,
    arguments_digest text NOT NULL,
    actor text NOT NULL DEFAULT session_user,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL,
    finished_at timestamptz,
    report jsonb,
    error jsonb,
    CONSTRAINT runs_ended CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX runs_idempotency_key ON tenancy.runs (idempotency_key) WHERE idempotency_key IS NOT NULL AND state IN ('running', 'succeeded');
CREATE INDEX runs_of_tenant ON tenancy.runs (tenant_id, started_at);
CREATE INDEX runs_open ON tenancy.runs (lease_until) WHERE state = 'running';
COMMENT ON TABLE tenancy.runs IS 'Every operation on a tenant. The row commits before the work begins; the work commits together with its end.';

CREATE TABLE tenancy.steps (
    run_id uuid NOT NULL REFERENCES tenancy.runs ON DELETE CASCADE,
    ordinal integer NOT NULL,
    fixture text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, ordinal)
);
COMMENT ON TABLE tenancy.steps IS 'What the fixtures of a run did, in order.';

CREATE TABLE tenancy.revisions (
    uid uuid NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    run_id uuid NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, number)
);
COMMENT ON TABLE tenancy.revisions IS 'Which revisions of its pack a tenant''s schema has, and the digest that each had when it was applied.';

CREATE TABLE tenancy.ledger (
    uid uuid NOT NULL,
    dataset text NOT NULL,
    digest text NOT NULL,
    report jsonb NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, dataset)
);
COMMENT ON TABLE tenancy.ledger IS 'What was loaded last into each dataset of a tenant: the same content again is no work.';

CREATE TABLE tenancy.loaded_keys (
    uid uuid NOT NULL,
    dataset text NOT NULL,
    target text NOT NULL,
    key uuid NOT NULL,
    PRIMARY KEY (uid, dataset, target, key)
);
COMMENT ON TABLE tenancy.loaded_keys IS 'Which rows a dataset with "sync" has put into its tables: digests of their keys. Only these are removed when the dataset drops them.';

CREATE TABLE tenancy.config (
    uid uuid NOT NULL,
    version integer NOT NULL,
    value jsonb NOT NULL CHECK (jsonb_typeof(value) = 'object'),
    run_id uuid NOT NULL,
    set_by text NOT NULL DEFAULT session_user,
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, version)
);
COMMENT ON TABLE tenancy.config IS 'The configuration of each tenant, every version of it; the highest one is in force.';

CREATE TABLE tenancy.audit_log (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id text,
    uid uuid,
    run_id uuid,
    actor text NOT NULL DEFAULT session_user,
    action text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_of_tenant ON tenancy.audit_log (uid, entry);
COMMENT ON TABLE tenancy.audit_log IS 'What happened, in order. Rows are added and never changed or removed; no personal data is in them.';

CREATE FUNCTION tenancy.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$body$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.refuse_change();

-- Runs a pack's script. EXECUTE refuses COMMIT and its like; SECURITY DEFINER (given by confine_script, where roles are
-- separate) refuses SET ROLE as well and leaves the script with the rights of its owner: those on one schema. It sets no
-- search path, which is the script's, and looks nothing up itself.
CREATE FUNCTION tenancy.run_script(script text) RETURNS void
LANGUAGE plpgsql AS $body$
BEGIN
    EXECUTE script;
    -- What the script left for COMMIT happens here, with its own rights: later it would have those of whoever commits.
    SET CONSTRAINTS ALL IMMEDIATE;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.run_script(text) FROM PUBLIC;

-- Gives everything in a tenant's schema to a role: to the script's before a revision runs, and back after it. It has more
-- rights than the script whose objects it looks at, so no name and no operator is looked up where a script could put its
-- own: without pg_temp at the end of the path, temporary tables and types would come before the catalogue's.
CREATE FUNCTION tenancy.give_namespace(namespace name, new_owner name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    statement pg_catalog.text;
    home pg_catalog.oid := (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) namespace);
BEGIN
    FOR statement IN
        SELECT pg_catalog.format('ALTER %s %I.%I OWNER TO %I', k.keyword, namespace, c.relname, new_owner)
        FROM pg_catalog.pg_class AS c
        JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'), ('f', 'FOREIGN TABLE'))
            AS k (kind, keyword) ON k.kind OPERATOR(pg_catalog.=) c.relkind::pg_catalog.text
        WHERE c.relnamespace OPERATOR(pg_catalog.=) home
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) c.oid
                AND d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}'::pg_catalog."char"[])
                AND c.relkind OPERATOR(pg_catalog.=) 'S'
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.refobjsubid OPERATOR(pg_catalog.>) 0)
        UNION ALL
        SELECT pg_catalog.format('ALTER ROUTINE %s OWNER TO %I', p.oid::pg_catalog.regprocedure, new_owner)
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) home
          -- A range type's constructors are parts of it, and belong to whoever made the server.
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) p.oid
                AND d.deptype OPERATOR(pg_catalog.=) 'i')
        UNION ALL
        SELECT pg_catalog.format(
            'ALTER %s %I.%I OWNER TO %I', CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'd' THEN 'DOMAIN' ELSE 'TYPE' END, namespace, t.typname, new_owner)
        FROM pg_catalog.pg_type AS t
        LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.typrelid
        WHERE t.typnamespace OPERATOR(pg_catalog.=) home
          AND (t.typtype OPERATOR(pg_catalog.=) ANY ('{d,e,r}'::pg_catalog."char"[])
               -- From PostgreSQL 17 on a multirange follows its range, and may not be changed by itself.
               OR (t.typtype OPERATOR(pg_catalog.=) 'm'
                   AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 170000)
               OR (t.typtype OPERATOR(pg_catalog.=) 'c' AND c.relkind OPERATOR(pg_catalog.=) 'c'))
        UNION ALL
        SELECT pg_catalog.format('ALTER STATISTICS %I.%I OWNER TO %I', namespace, e.stxname, new_owner)
        FROM pg_catalog.pg_statistic_ext AS e
        WHERE e.stxnamespace OPERATOR(pg_catalog.=) home
        UNION ALL
        SELECT pg_catalog.format('ALTER COLLATION %I.%I OWNER TO %I', namespace, l.collname, new_owner)
        FROM pg_catalog.pg_collation AS l
        WHERE l.collnamespace OPERATOR(pg_catalog.=) home
    LOOP
        EXECUTE statement;
    END LOOP;
END
$body$;
REVOKE EXECUTE ON FUNCTION tenancy.give_namespace(name, name) FROM PUBLIC;
