-- The databases of a test suite, and how a tenant in them is brought back to what it was. All of this is in databases that are made for one
-- run of a suite, and dropped with it.

-- name: say_whose
-- Server-wide, whoever may look: a run lives as long as a connection that says so.
SELECT pg_catalog.set_config('application_name', %(name)s, false)

-- name: let_rest
-- References and triggers rest in this session: what the template held is in order as it is, whatever its order and its circles. Set once: a
-- change of it would throw all plans away.
SELECT pg_catalog.set_config('session_replication_role', 'replica', false), pg_catalog.set_config('synchronous_commit', 'off', false),
    pg_catalog.set_config('jit', 'off', false), pg_catalog.set_config('lock_timeout', '3s', false)

-- name: is_superuser
SELECT r.rolsuper AS found FROM pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER

-- name: lock
SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended(%(name)s, 0))

-- name: unlock
SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended(%(name)s, 0))

-- name: forsaken
-- Runs that have left something, and that nobody is at any more.
SELECT DISTINCT m.name
FROM (
    SELECT pg_catalog.substring(d.datname::text, '^tenancy_run_[0-9a-f]{12}') FROM pg_catalog.pg_database AS d
    UNION ALL
    SELECT pg_catalog.substring(r.rolname::text, '^tenancy_run_[0-9a-f]{12}') FROM pg_catalog.pg_roles AS r
) AS m (name)
WHERE m.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.application_name = m.name)
ORDER BY 1

-- name: databases_of
SELECT d.datname::text AS name FROM pg_catalog.pg_database AS d WHERE pg_catalog.starts_with(d.datname::text, %(run)s) ORDER BY 1

-- name: roles_of
-- The run's own roles, and those of its tenants: the application may become each of them.
SELECT r.rolname::text AS name
FROM pg_catalog.pg_roles AS r
WHERE pg_catalog.starts_with(r.rolname::text, %(run)s) OR (r.rolname ~ '^tenancy_t_[0-9a-f]{32}$' AND EXISTS (
    SELECT FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS g ON g.oid IN (m.member, m.roleid)
    WHERE r.oid IN (m.member, m.roleid) AND pg_catalog.starts_with(g.rolname::text, %(run)s)))
ORDER BY 1 DESC

-- name: create_database
CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0

-- name: copy_database
CREATE DATABASE {database} TEMPLATE {template}

-- name: forget_durability
-- Nothing of a test outlives the server.
ALTER DATABASE {database} SET synchronous_commit = off

-- name: mark_finished
COMMENT ON DATABASE {database} IS 'finished'

-- name: is_finished
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_database AS d WHERE d.datname = %(name)s AND pg_catalog.shobj_description(d.oid, 'pg_database') = 'finished') AS found

-- name: drop_database
DROP DATABASE IF EXISTS {database} WITH (FORCE)

-- name: drop_role
DROP ROLE IF EXISTS {role}

-- name: install
-- What the template tenant held, table by table as plain copies, and what is known of each tenant that stands for it.
CREATE SCHEMA tenancy_testkit;
CREATE TABLE tenancy_testkit.templates (name text PRIMARY KEY, copy text NOT NULL, rows bigint NOT NULL);
CREATE TABLE tenancy_testkit.numbers (name text PRIMARY KEY, last bigint NOT NULL, called boolean NOT NULL);
CREATE TABLE tenancy_testkit.tenants (
    uid uuid PRIMARY KEY, namespace oid NOT NULL, role oid, catalogue numeric NOT NULL, control numeric NOT NULL, locks text);
-- ``filled`` are the transactions that wrote the rows: what another one wrote is none of the template's.
CREATE TABLE tenancy_testkit.filled (
    uid uuid NOT NULL, relation oid NOT NULL, name text NOT NULL, rows bigint NOT NULL, filled xid[] NOT NULL DEFAULT '{}',
    refill text, merge boolean NOT NULL, PRIMARY KEY (uid, relation));
CREATE TABLE tenancy_testkit.parked (LIKE tenancy.tenants);
CREATE TABLE tenancy_testkit.ledger (LIKE tenancy.ledger);
CREATE TABLE tenancy_testkit.loaded_keys (LIKE tenancy.loaded_keys);
CREATE TABLE tenancy_testkit.checksums (LIKE tenancy.checksums);
CREATE TABLE tenancy_testkit.row_digests (LIKE tenancy.row_digests);

CREATE FUNCTION tenancy_testkit.is_own(type oid, home oid) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.oid = type AND t.typnamespace = home);

CREATE FUNCTION tenancy_testkit.capture(tenant uuid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    home oid := (SELECT n.oid FROM pg_namespace AS n JOIN tenancy.tenants AS t ON t.namespace = n.nspname WHERE t.uid = tenant);
    found record;
    counted bigint;
BEGIN
    FOR found IN
        -- A type that is the tenant's own is another one in each tenant: its values travel as text.
        SELECT c.oid::regclass::text AS source, c.relname AS name, 'rows_' || c.oid AS copy, (
            SELECT string_agg(CASE WHEN tenancy_testkit.is_own(a.atttypid, home) THEN format('%1$I::text AS %1$I', a.attname)
                ELSE format('%I', a.attname) END, ', ' ORDER BY a.attnum)
            FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
        FROM pg_class AS c WHERE c.relnamespace = home AND c.relkind = 'r' ORDER BY c.relname
    LOOP
        EXECUTE format('CREATE TABLE tenancy_testkit.%I AS SELECT %s FROM ONLY %s', found.copy, found.columns, found.source);
        GET DIAGNOSTICS counted = ROW_COUNT;
        INSERT INTO tenancy_testkit.templates VALUES (found.name, found.copy, counted);
    END LOOP;
    FOR found IN SELECT c.oid::regclass::text AS source, c.relname AS name FROM pg_class AS c WHERE c.relnamespace = home AND c.relkind = 'S' LOOP
        EXECUTE format('INSERT INTO tenancy_testkit.numbers SELECT %L, last_value, is_called FROM %s', found.name, found.source);
    END LOOP;
    INSERT INTO tenancy_testkit.ledger SELECT * FROM tenancy.ledger AS l WHERE l.uid = tenant;
    INSERT INTO tenancy_testkit.loaded_keys SELECT * FROM tenancy.loaded_keys AS l WHERE l.uid = tenant;
    INSERT INTO tenancy_testkit.checksums SELECT * FROM tenancy.checksums AS l WHERE l.uid = tenant;
    INSERT INTO tenancy_testkit.row_digests SELECT * FROM tenancy.row_digests AS l WHERE l.uid = tenant;
END
$body$;

-- What the catalogue says of a namespace and a role. Whoever changes an entry of it leaves a new version of the entry; pg_class is looked at by
-- what it says, since TRUNCATE and the like write to it as well.
CREATE FUNCTION tenancy_testkit.catalogue(home oid, role oid) RETURNS numeric LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RETURN (WITH r AS MATERIALIZED (SELECT c.* FROM pg_class AS c WHERE c.relnamespace = home),
    k AS MATERIALIZED (SELECT o.oid, o.xmin FROM pg_constraint AS o WHERE o.connamespace = home),
    y AS MATERIALIZED (SELECT t.oid, t.xmin FROM pg_type AS t WHERE t.typnamespace = home),
    p AS MATERIALIZED (SELECT f.oid, f.xmin FROM pg_proc AS f WHERE f.pronamespace = home)
    SELECT sum(e.hash) FROM (
        SELECT hash_record_extended(ROW(r.oid, r.relname, r.relkind, r.relowner, r.relacl, r.reloptions, r.relpersistence, r.relrowsecurity,
            r.relforcerowsecurity, r.relreplident, r.reltablespace, r.relam, r.relispartition, r.relispopulated, r.reltype, r.reloftype,
            CASE WHEN r.relkind = 'm' THEN r.relfilenode END), 0) AS hash FROM r
        UNION ALL SELECT hash_record_extended(ROW(1, a.attrelid, a.attnum, a.xmin), 0) FROM pg_attribute AS a WHERE a.attrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(2, a.oid, a.xmin), 0) FROM pg_attrdef AS a WHERE a.adrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(3, k.oid, k.xmin), 0) FROM k
        UNION ALL SELECT hash_record_extended(ROW(4, i.indexrelid, i.xmin), 0) FROM pg_index AS i WHERE i.indrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(5, g.oid, g.xmin), 0) FROM pg_trigger AS g WHERE g.tgrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(6, w.oid, w.xmin), 0) FROM pg_rewrite AS w WHERE w.ev_class IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(7, l.oid, l.xmin), 0) FROM pg_policy AS l WHERE l.polrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(8, h.inhrelid, h.inhparent, h.xmin), 0) FROM pg_inherits AS h
            WHERE h.inhparent IN (SELECT r.oid FROM r) OR h.inhrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(9, s.seqrelid, s.xmin), 0) FROM pg_sequence AS s WHERE s.seqrelid IN (SELECT r.oid FROM r)
        UNION ALL SELECT hash_record_extended(ROW(10, x.oid, x.xmin), 0) FROM pg_statistic_ext AS x WHERE x.stxnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(11, y.oid, y.xmin), 0) FROM y
        UNION ALL SELECT hash_record_extended(ROW(12, v.oid, v.xmin), 0) FROM pg_enum AS v WHERE v.enumtypid IN (SELECT y.oid FROM y)
        UNION ALL SELECT hash_record_extended(ROW(13, p.oid, p.xmin), 0) FROM p
        UNION ALL SELECT hash_record_extended(ROW(14, o.oid, o.xmin), 0) FROM pg_operator AS o WHERE o.oprnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(15, o.oid, o.xmin), 0) FROM pg_opclass AS o WHERE o.opcnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(16, o.oid, o.xmin), 0) FROM pg_opfamily AS o WHERE o.opfnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(17, o.oid, o.xmin), 0) FROM pg_collation AS o WHERE o.collnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(18, o.oid, o.xmin), 0) FROM pg_conversion AS o WHERE o.connamespace = home
        UNION ALL SELECT hash_record_extended(ROW(19, o.oid, o.xmin), 0) FROM pg_ts_config AS o WHERE o.cfgnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(20, o.oid, o.xmin), 0) FROM pg_ts_dict AS o WHERE o.dictnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(21, o.oid, o.xmin), 0) FROM pg_default_acl AS o WHERE o.defaclnamespace = home
        UNION ALL SELECT hash_record_extended(ROW(22, d.objoid, d.objsubid, d.xmin), 0) FROM pg_description AS d
            WHERE d.objoid = ANY (ARRAY(SELECT home UNION ALL SELECT r.oid FROM r UNION ALL SELECT y.oid FROM y UNION ALL SELECT p.oid FROM p
                UNION ALL SELECT k.oid FROM k))
        UNION ALL SELECT hash_record_extended(ROW(23, n.oid, n.xmin), 0) FROM pg_namespace AS n WHERE n.oid = home
        UNION ALL SELECT hash_record_extended(ROW(24, a.oid, a.xmin), 0) FROM pg_authid AS a WHERE a.oid = role
        UNION ALL SELECT hash_record_extended(ROW(25, m.roleid, m.member, m.xmin), 0) FROM pg_auth_members AS m WHERE role IN (m.roleid, m.member)
        UNION ALL SELECT hash_record_extended(ROW(26, s.setdatabase, s.setrole, s.xmin), 0) FROM pg_db_role_setting AS s WHERE s.setrole = role
    ) AS e);
END
$body$;

-- What the control plane says of a tenant; it keeps an entry of every operation on it.
CREATE FUNCTION tenancy_testkit.control(tenant uuid) RETURNS numeric LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RETURN (SELECT sum(e.hash) FROM (
        SELECT hashtextextended(t.*::text, 0) AS hash FROM tenancy.tenants AS t WHERE t.uid = tenant
        UNION ALL SELECT hashtextextended(t.*::text, 0) FROM tenancy_testkit.parked AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(1, t.version, t.xmin), 0) FROM tenancy.config AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(2, t.number, t.xmin), 0) FROM tenancy.revisions AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(3, t.dataset, t.xmin), 0) FROM tenancy.ledger AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(4, t.key, t.xmin), 0) FROM tenancy.loaded_keys AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(5, t.target, t.xmin), 0) FROM tenancy.checksums AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(6, t.target, t.bucket, t.xmin), 0) FROM tenancy.row_digests AS t WHERE t.uid = tenant
        UNION ALL SELECT hash_record_extended(ROW(7, t.run_id, t.xmin), 0) FROM tenancy.runs AS t
            WHERE t.tenant_id = (SELECT n.tenant_id FROM tenancy.tenants AS n WHERE n.uid = tenant
                UNION ALL SELECT n.tenant_id FROM tenancy_testkit.parked AS n WHERE n.uid = tenant)
        UNION ALL SELECT hash_record_extended(ROW(8, t.entry, t.xmin), 0) FROM tenancy.audit_log AS t WHERE t.uid = tenant
    ) AS e);
END
$body$;

-- Puts one table back: rows that the template's did not bring go; if any of its own are missing, they come again. True where all are there.
CREATE FUNCTION tenancy_testkit.put_back(f tenancy_testkit.filled, here bigint, own bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    -- Some ten transactions are looked for in a moment; from then on the table is filled anew.
    merging boolean := f.merge AND cardinality(f.filled) < 10;
    counted bigint := 0;
BEGIN
    IF here > own THEN
        EXECUTE format('DELETE FROM ONLY %s WHERE NOT xmin = ANY ($1)', f.name) USING f.filled;
    END IF;
    IF own < f.rows AND NOT merging THEN
        EXECUTE format('DELETE FROM ONLY %s', f.name);
        own := 0;
    END IF;
    IF own < f.rows THEN
        EXECUTE f.refill;
        GET DIAGNOSTICS counted = ROW_COUNT;
        UPDATE tenancy_testkit.filled AS t
        SET filled = CASE WHEN own > 0 THEN t.filled ELSE '{}' END || pg_current_xact_id()::xid WHERE t.uid = f.uid AND t.relation = f.relation;
    END IF;
    RETURN own + counted = f.rows;
END
$body$;

-- Brings a tenant back to what the template is; says why it cannot be, where it cannot.
CREATE FUNCTION tenancy_testkit.reset(tenant uuid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    known tenancy_testkit.tenants;
    f tenancy_testkit.filled;
    found record;
    here bigint;
    own bigint;
BEGIN
    SELECT * INTO STRICT known FROM tenancy_testkit.tenants AS t WHERE t.uid = tenant;
    IF EXISTS (
        SELECT FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
        LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE c.relnamespace = known.namespace AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
          AND l.pid IS DISTINCT FROM pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
    ) THEN
        RETURN 'a transaction is still open in it';
    END IF;
    IF known.catalogue IS DISTINCT FROM tenancy_testkit.catalogue(known.namespace, known.role) THEN
        RETURN 'its structure, its role or its rights were changed';
    END IF;
    IF known.control IS DISTINCT FROM tenancy_testkit.control(tenant) THEN
        RETURN 'an operation changed what the registry knows of it';
    END IF;
    -- Nobody writes between the look and the refill.
    IF known.locks IS NOT NULL THEN
        EXECUTE known.locks;
    END IF;
    FOR f IN SELECT * FROM tenancy_testkit.filled AS t WHERE t.uid = tenant LOOP
        -- Most tables of most tests have never held a row: no statement is planned for those.
        CONTINUE WHEN f.rows = 0 AND pg_relation_size(f.relation) = 0;
        IF f.rows = 0 THEN
            EXECUTE format('SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT 1) AS t', f.name) INTO here;
            own := 0;
        ELSE
            EXECUTE format('SELECT count(*), count(*) FILTER (WHERE xmin = ANY ($1)) FROM ONLY %s', f.name) INTO here, own USING f.filled;
        END IF;
        IF here > own OR own < f.rows THEN
            IF f.refill IS NULL OR NOT tenancy_testkit.put_back(f, here, own) THEN
                RETURN format('the rows of %s cannot be put back', f.name);
            END IF;
        END IF;
    END LOOP;
    FOR found IN
        SELECT n.*, c.oid::regclass::text AS place FROM tenancy_testkit.numbers AS n
        JOIN pg_class AS c ON c.relname = n.name AND c.relnamespace = known.namespace AND c.relkind = 'S'
    LOOP
        EXECUTE format('SELECT setval(%L::regclass, $1, $2) FROM %s WHERE last_value <> $1 OR is_called <> $2', found.place, found.place)
        USING found.last, found.called;
    END LOOP;
    RETURN NULL;
END
$body$;

-- Lets a new tenant stand for the template: from here on it can be put back.
CREATE FUNCTION tenancy_testkit.enrol(tenant uuid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    home oid := (SELECT n.oid FROM pg_namespace AS n JOIN tenancy.tenants AS t ON t.namespace = n.nspname WHERE t.uid = tenant);
    its_role oid := (SELECT r.oid FROM pg_roles AS r JOIN tenancy.tenants AS t ON t.role = r.rolname WHERE t.uid = tenant);
    found record;
    fault text;
BEGIN
    -- What fires in a session of replication too would do its work on every row that is put back, and nobody would see it.
    SELECT format('%s of %I does its work also on rows that are put back', e.what, c.relname) INTO fault
    FROM tenancy_testkit.templates AS t
    JOIN pg_class AS c ON c.relname = t.name AND c.relnamespace = home AND c.relkind = 'r'
    CROSS JOIN LATERAL (
        SELECT format('trigger %I', g.tgname) AS what, g.tgtype & 8 <> 0 AS deletes, g.tgtype & 4 <> 0 AS inserts
        FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled IN ('A', 'R')
        UNION ALL SELECT format('rule %I', w.rulename), w.ev_type = '4', w.ev_type = '3'
        FROM pg_rewrite AS w WHERE w.ev_class = c.oid AND w.ev_enabled IN ('A', 'R')) AS e
    WHERE e.deletes OR (e.inserts AND t.rows > 0)
    ORDER BY c.relname, e.what LIMIT 1;
    IF fault IS NOT NULL THEN
        RETURN fault;
    END IF;
    INSERT INTO tenancy_testkit.filled (uid, relation, name, rows, merge, refill)
    SELECT tenant, c.oid, c.oid::regclass::text, t.rows,
        -- A row that is there is known by its key; a key that is only looked at in the end knows none.
        EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
            AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND NOT i.indimmediate) AND NOT c.relhasrules,
        format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM tenancy_testkit.%I', c.oid::regclass, a.names, a.casts, t.copy)
    FROM tenancy_testkit.templates AS t
    JOIN pg_class AS c ON c.relname = t.name AND c.relnamespace = home AND c.relkind = 'r'
    CROSS JOIN LATERAL (
        SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS names,
            string_agg(CASE WHEN tenancy_testkit.is_own(a.atttypid, home) THEN format('%I::%s', a.attname, format_type(a.atttypid, a.atttypmod))
                ELSE format('%I', a.attname) END, ', ' ORDER BY a.attnum) AS casts
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS a;
    UPDATE tenancy_testkit.filled AS f SET refill = f.refill || ' ON CONFLICT DO NOTHING' WHERE f.uid = tenant AND f.merge;
    INSERT INTO tenancy.ledger SELECT l.* FROM tenancy_testkit.ledger AS t, jsonb_populate_record(t, jsonb_build_object('uid', tenant)) AS l;
    INSERT INTO tenancy.loaded_keys SELECT l.* FROM tenancy_testkit.loaded_keys AS t, jsonb_populate_record(t, jsonb_build_object('uid', tenant)) AS l;
    INSERT INTO tenancy.checksums SELECT l.* FROM tenancy_testkit.checksums AS t, jsonb_populate_record(t, jsonb_build_object('uid', tenant)) AS l;
    INSERT INTO tenancy.row_digests SELECT l.* FROM tenancy_testkit.row_digests AS t, jsonb_populate_record(t, jsonb_build_object('uid', tenant)) AS l;
    INSERT INTO tenancy_testkit.tenants VALUES (
        tenant, home, its_role, tenancy_testkit.catalogue(home, its_role), tenancy_testkit.control(tenant),
        (SELECT 'LOCK TABLE ONLY ' || string_agg(f.name, ', ONLY ') || ' IN SHARE ROW EXCLUSIVE MODE' FROM tenancy_testkit.filled AS f WHERE f.uid = tenant));
    -- Rows that the pack's script itself has written are the template's as well: all are written anew.
    fault := tenancy_testkit.reset(tenant);
    -- A materialized view is as its own script made it; its rows are looked at, and never put back.
    FOR found IN SELECT c.oid, c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relnamespace = home AND c.relkind = 'm' AND c.relispopulated LOOP
        EXECUTE format('INSERT INTO tenancy_testkit.filled SELECT $1, $2, $3, coalesce(sum(t.rows), 0), coalesce(array_agg(t.made), ''{}''), NULL, false '
            'FROM (SELECT xmin AS made, count(*) AS rows FROM %s GROUP BY xmin) AS t', found.name) USING tenant, found.oid, found.name;
    END LOOP;
    RETURN fault;
END
$body$;

-- name: capture
SELECT tenancy_testkit.capture(%(uid)s)

-- name: enrol
SELECT tenancy_testkit.enrol(%(uid)s) AS fault

-- name: reset
-- One round trip: the tenant is put back, and who is there that is none of ours is told with it.
WITH strangers AS (
    SELECT t.tenant_id, t.uid FROM tenancy.tenants AS t WHERE NOT EXISTS (SELECT FROM tenancy_testkit.tenants AS k WHERE k.uid = t.uid))
SELECT tenancy_testkit.reset(%(uid)s) AS fault,
    (SELECT coalesce(pg_catalog.jsonb_object_agg(s.tenant_id, s.uid), '{}') FROM strangers AS s) AS strangers

-- name: park
-- A tenant that no test has is in no list of tenants.
WITH moved AS (DELETE FROM tenancy.tenants AS t WHERE t.uid = ANY (%(uids)s) RETURNING t.*), kept AS (INSERT INTO tenancy_testkit.parked SELECT * FROM moved RETURNING uid)
SELECT pg_catalog.count(*) AS moved FROM kept

-- name: unpark
WITH moved AS (DELETE FROM tenancy_testkit.parked AS t WHERE t.uid = ANY (%(uids)s) RETURNING t.*), kept AS (INSERT INTO tenancy.tenants SELECT * FROM moved RETURNING uid)
SELECT pg_catalog.count(*) AS moved FROM kept

-- name: read_rows
SELECT pg_catalog.to_jsonb(t) AS row FROM {table} AS t ORDER BY t.ctid

-- name: insert_rows
INSERT INTO {table} ({columns}) SELECT {columns} FROM pg_catalog.jsonb_populate_recordset(NULL::{table}, %(rows)s::pg_catalog.jsonb) RETURNING *

-- name: insert_missing_rows
INSERT INTO {table} ({columns}) SELECT {columns} FROM pg_catalog.jsonb_populate_recordset(NULL::{table}, %(rows)s::pg_catalog.jsonb) ON CONFLICT DO NOTHING

-- name: is_tenants
-- Whether a transaction is a tenant's: its context is set, or its session or role is a tenant's own.
SELECT coalesce(pg_catalog.current_setting('tenancy.tenant_id', true), '') <> '' OR CURRENT_USER::pg_catalog.text ~ '^tenancy_t_[0-9a-f]{32}$'
    OR SESSION_USER::pg_catalog.text ~ '^tenancy_t_[0-9a-f]{32}$'
