-- What people run themselves in psql to migrate tenants: printed, and never sent by the library.

-- name: procedure
-- {title}
CREATE OR REPLACE PROCEDURE pg_temp.{name} (who text, whose uuid, holder uuid, home name, path text)
LANGUAGE plpgsql AS {body};

-- name: body
DECLARE
    run CONSTANT uuid := pg_catalog.gen_random_uuid();
    stands integer;
BEGIN
    -- Role, tenant and form of values as in every transaction of the library.
    PERFORM pg_catalog.set_config('role', {role}, true), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
        pg_catalog.set_config('tenancy.tenant_id', who, true), pg_catalog.set_config('tenancy.tenant_uid', '', true),
        pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('DateStyle', 'ISO, MDY', true),
        pg_catalog.set_config('IntervalStyle', 'postgres', true), pg_catalog.set_config('lock_timeout', {lock_timeout}, true);
    INSERT INTO tenancy.locks AS l (name) VALUES (who) ON CONFLICT (name) DO UPDATE SET name = excluded.name WHERE false;
    stands := ({standing});
    IF stands = {target} THEN
        RAISE NOTICE '% is at revision % already', who, stands;
        RETURN;
    END IF;
    IF stands IS DISTINCT FROM {origin} THEN
        RAISE EXCEPTION '% is not at revision {origin} any more: print the SQL anew', who;
    END IF;
    INSERT INTO tenancy.runs (run_id, tenant_id, uid, operation, state, arguments_digest, lease_until, finished_at, report)
    VALUES (run, who, whose, 'migrate', 'succeeded', 'printed', pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp(), {report});
{steps}    -- The registry.
    {reach};
    -- What was recorded of rows may no longer be true.
    DELETE FROM tenancy.checksums AS c WHERE c.uid = whose;
    -- Whoever owns the schema gives rights on it.
    PERFORM pg_catalog.set_config('role', {actor}, true);
END

-- name: step
    -- {file}
    PERFORM pg_catalog.set_config('role', {actor}, true), pg_catalog.set_config('search_path', path, true);
    EXECUTE {text};
    SET CONSTRAINTS ALL IMMEDIATE;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('role', {role}, true);
    INSERT INTO tenancy.revisions (uid, number, name, digest, run_id) VALUES (holder, {number}, {name}, {digest}, run);
    INSERT INTO tenancy.steps (run_id, ordinal, fixture, action, object) VALUES (run, {ordinal}, 'schema', 'migrate', {object});

-- name: versions
    -- What Alembic reads.
    PERFORM pg_catalog.set_config('role', {actor}, true);
    IF pg_catalog.to_regclass(pg_catalog.format('%I.%I', home, {table})) IS NULL THEN
        EXECUTE pg_catalog.format(
            'CREATE TABLE %I.%I (version_num varchar(32) NOT NULL, CONSTRAINT %I PRIMARY KEY (version_num))', home, {table}, {key});
    END IF;
    EXECUTE pg_catalog.format('DELETE FROM %I.%I', home, {table});
    EXECUTE pg_catalog.format('INSERT INTO %I.%I (version_num) SELECT v FROM pg_catalog.unnest($1) AS v', home, {table}) USING {versions}::text[];
    PERFORM pg_catalog.set_config('role', {role}, true);

-- name: audit
    INSERT INTO tenancy.audit_log (tenant_id, uid, run_id, action, detail) VALUES (who, whose, run, {action}, {detail});

-- name: standing
SELECT t.revision FROM tenancy.tenants AS t WHERE t.uid = whose

-- name: standing_shared
SELECT s.revision FROM tenancy.shared_schemas AS s WHERE s.uid = holder

-- name: reach
UPDATE tenancy.tenants AS t SET revision = {target}, release = {release}, updated_at = pg_catalog.now() WHERE t.uid = whose

-- name: reach_shared
UPDATE tenancy.shared_schemas AS s SET revision = {target}, release = {release}, updated_at = pg_catalog.now() WHERE s.uid = holder;
    UPDATE tenancy.tenants AS t SET revision = {target}, release = {release}, updated_at = pg_catalog.now() WHERE t.namespace = home AND t.isolation = 'row'

-- name: tenant
-- {title}
BEGIN;
CALL pg_temp.{name}({who}, {whose}, {holder}, {home}, {path});
{grants}COMMIT;

-- name: reached
-- Whether it is done: then the main database may say so too.
\set tenancy_reached false
BEGIN;
SET LOCAL ROLE {role};
SELECT t.revision = {target} AS tenancy_reached FROM tenancy.tenants AS t WHERE t.uid = {whose} \gset
COMMIT;

-- name: project
BEGIN;
SET LOCAL ROLE {role};
UPDATE tenancy.tenants AS t SET revision = {target}, release = {release}, updated_at = pg_catalog.now() WHERE t.uid = {whose};
COMMIT;
