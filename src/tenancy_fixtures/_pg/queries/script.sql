-- name: run
SELECT tenancy.run_script(%(script)s)

-- name: make_runner
-- For a schema that a role of the host's owns: whatever is run in it has that role's rights, and cannot take another's.
CREATE FUNCTION {runner}(script text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    EXECUTE script;
    SET CONSTRAINTS ALL IMMEDIATE;
END
$body$;
REVOKE EXECUTE ON FUNCTION {runner}(text) FROM PUBLIC

-- name: run_with
SELECT {runner}(%(script)s)

-- name: drop_runner
-- Refused where the script has put something of its own upon it.
DROP FUNCTION IF EXISTS {runner}(text)

-- name: tidy
-- What a script may leave in the session: a cursor WITH HOLD runs its query at COMMIT, with the rights of whoever commits;
-- the rest would outlive the transaction, behind a pooler in other people's sessions.
CLOSE ALL;
DEALLOCATE ALL;
RESET ALL;
UNLISTEN *;
SELECT pg_catalog.pg_advisory_unlock_all()

-- name: made_to_wait
SELECT DISTINCT c.conname::text AS name
FROM pg_catalog.pg_constraint AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
WHERE n.nspname = %(namespace)s AND c.condeferred
ORDER BY 1

-- name: let_wait
SET CONSTRAINTS {constraint} DEFERRED

-- name: temporary
-- Asked before anything else of ours runs: temporary tables and types can stand where ours, or the catalogue's, should be.
SELECT pg_catalog.concat(d.classid, '/', d.objid) AS trace, pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_catalog.pg_depend AS d
WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()

-- name: grant_schema
GRANT USAGE, CREATE ON SCHEMA {schema} TO {script}

-- name: giving
-- The statements that give a schema's objects to a role, for the role at work to run: of those that are its to give. What others
-- have made there stays theirs. Sequences of columns go with their table.
WITH home AS (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
), statement (text, owner) AS (
    SELECT pg_catalog.format('ALTER %%s %%I.%%I OWNER TO %%I', k.keyword, %(namespace)s::text, c.relname, %(owner)s::text), c.relowner
    FROM pg_catalog.pg_class AS c
    JOIN home AS h ON h.oid = c.relnamespace
    JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'), ('f', 'FOREIGN TABLE'))
        AS k (kind, keyword) ON k.kind = c.relkind::text
    WHERE c.relkind <> 'S' OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0)
    UNION ALL
    SELECT pg_catalog.format('ALTER ROUTINE %%s OWNER TO %%I', p.oid::pg_catalog.regprocedure, %(owner)s::text), p.proowner
    FROM pg_catalog.pg_proc AS p JOIN home AS h ON h.oid = p.pronamespace
    -- A range type's constructors are parts of it, and belong to whoever made the server.
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT pg_catalog.format('ALTER %%s %%I.%%I OWNER TO %%I', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, %(namespace)s::text, t.typname, %(owner)s::text),
        t.typowner
    FROM pg_catalog.pg_type AS t JOIN home AS h ON h.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')
       -- From PostgreSQL 17 on a multirange follows its range, and may not be changed by itself.
       OR (t.typtype = 'm' AND pg_catalog.current_setting('server_version_num')::integer < 170000)
    UNION ALL
    SELECT pg_catalog.format('ALTER STATISTICS %%I.%%I OWNER TO %%I', %(namespace)s::text, e.stxname, %(owner)s::text), e.stxowner
    FROM pg_catalog.pg_statistic_ext AS e JOIN home AS h ON h.oid = e.stxnamespace
    UNION ALL
    SELECT pg_catalog.format('ALTER COLLATION %%I.%%I OWNER TO %%I', %(namespace)s::text, l.collname, %(owner)s::text), l.collowner
    FROM pg_catalog.pg_collation AS l JOIN home AS h ON h.oid = l.collnamespace
)
SELECT pg_catalog.string_agg(s.text, '; ') AS statements FROM statement AS s WHERE pg_catalog.pg_has_role(s.owner, 'USAGE')

-- name: take_back
REVOKE USAGE, CREATE ON SCHEMA {schema} FROM {script}

-- name: deferring
-- Tables with triggers that a script could have told to wait, again, for COMMIT: a constraint's own among them, which may
-- compare with an operator of the script's.
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE g.tgdeferrable AND n.nspname = ANY (%(allowed)s::text[]) AND pg_catalog.pg_has_role(c.relowner, 'MEMBER')
ORDER BY 1, 2

-- name: refuse_pending
-- Changes nothing, and is refused (55006) where a trigger of the table still waits.
ALTER TABLE {table} OWNER TO {owner}

-- name: left_behind
-- What the script's role still owns after its schema was taken back: things made elsewhere, temporary ones (they would
-- outlive the run), and kinds of objects that a tenant's schema does not hold.
SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_catalog.pg_shdepend AS d
WHERE d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  AND d.refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(script)s)
  AND d.deptype = 'o'
  AND NOT (d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = pg_catalog.to_regprocedure('tenancy.run_script(text)'))
ORDER BY object

-- name: guarded
-- What no script may change, and rights alone do not keep it from: its schema's identity, the function that runs it (the
-- role that it runs as owns that), and the catalogues of what belongs to no schema (a role may change its own password,
-- its settings and its default privileges; anybody makes large objects). Compared before and after.
SELECT 'schema' AS kind, n.nspname::text AS object, n.oid::text AS trace
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = %(namespace)s
UNION ALL
SELECT 'function', 'tenancy.run_script', p.oid || '/' || p.xmin || '/' || coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '')
    || '/' || (SELECT pg_catalog.count(*) FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid)
FROM pg_catalog.pg_proc AS p
WHERE p.oid = pg_catalog.to_regprocedure('tenancy.run_script(text)')
UNION ALL
SELECT 'catalogue', s.relname::text, (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::text
FROM pg_catalog.pg_stat_xact_sys_tables AS s
WHERE s.schemaname = 'pg_catalog'
  AND s.relname IN ('pg_am', 'pg_authid', 'pg_auth_members', 'pg_database', 'pg_db_role_setting', 'pg_default_acl', 'pg_event_trigger', 'pg_extension',
                    'pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_language', 'pg_largeobject', 'pg_largeobject_metadata', 'pg_parameter_acl',
                    'pg_publication', 'pg_publication_namespace', 'pg_publication_rel', 'pg_replication_origin', 'pg_shdescription', 'pg_shseclabel',
                    'pg_subscription', 'pg_tablespace', 'pg_user_mapping')
  AND s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0

-- name: reaches
-- What elsewhere objects of the schema stand on, whatever its kind. A view, a rule, a policy reads and writes with the rights
-- of its owner, who is the owner of all tenants after the script; PostgreSQL does not ask for them when it is made. And who
-- drops a type or a function takes along the columns and defaults that use it. What belongs to an extension is for all, but
-- for its tables and views: they hold rows, to which the owner of all tenants may have rights.
WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_namespace AS n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = %(namespace)s
    UNION
    -- Parts of an object depend on it in these ways; casts and transforms are in no schema.
    SELECT d.classid, d.objid
    FROM own JOIN pg_catalog.pg_depend AS d ON d.refclassid = own.classid AND d.refobjid = own.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S')
       OR d.classid IN ('pg_catalog.pg_cast'::pg_catalog.regclass, 'pg_catalog.pg_transform'::pg_catalog.regclass)
), ground AS (
    SELECT DISTINCT d.refclassid AS classid, d.refobjid AS objid
    FROM own JOIN pg_catalog.pg_depend AS d ON d.classid = own.classid AND d.objid = own.objid
    WHERE NOT EXISTS (SELECT FROM own AS o WHERE o.classid = d.refclassid AND o.objid = d.refobjid)
)
SELECT pg_catalog.pg_describe_object(g.classid, g.objid, 0) AS object
FROM ground AS g
CROSS JOIN LATERAL pg_catalog.pg_identify_object(g.classid, g.objid, 0) AS i
WHERE i.schema NOT IN (
        SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = ANY (%(allowed)s::text[]) OR n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))
  -- What policies ask says whose turn it is, and nothing else: it is there for every schema.
  AND NOT (g.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND g.objid = pg_catalog.to_regprocedure('tenancy.tenant_uid()'))
  AND (g.classid = 'pg_catalog.pg_class'::pg_catalog.regclass OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS e
        WHERE e.deptype = 'e' AND (
            (e.classid = g.classid AND e.objid = g.objid)
            -- Array and row types are no members themselves, but parts of one.
            OR (e.classid, e.objid) IN (
                SELECT w.refclassid, w.refobjid FROM pg_catalog.pg_depend AS w
                WHERE w.classid = g.classid AND w.objid = g.objid AND w.deptype = 'i'))))
ORDER BY object

-- name: security_definers
-- Those of others are none of the script's making.
SELECT p.oid::pg_catalog.regprocedure::text AS object, p.oid || '/' || p.xmin AS trace
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = %(namespace)s AND p.prosecdef AND pg_catalog.pg_has_role(coalesce(%(owner)s, CURRENT_USER)::pg_catalog.name, p.proowner, 'MEMBER')
ORDER BY 1

-- name: newest_oid
-- Whatever a script makes from here on gets a higher one (but for the counter's wrap: then it is refused, not missed).
WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_namespace AS n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = ANY (%(allowed)s::text[])
    UNION
    SELECT d.classid, d.objid
    FROM own JOIN pg_catalog.pg_depend AS d ON d.refclassid = own.classid AND d.refobjid = own.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S')
       OR d.classid IN ('pg_catalog.pg_cast'::pg_catalog.regclass, 'pg_catalog.pg_transform'::pg_catalog.regclass)
)
SELECT (SELECT max(k.newest) FROM (
           SELECT max(oid) AS newest FROM pg_catalog.pg_class
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_proc
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_type
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_namespace
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_constraint
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_trigger
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_rewrite
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_policy
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_statistic_ext
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_collation
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_conversion
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_operator
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_opclass
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_opfamily
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_cast
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_transform
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_ts_config
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_ts_dict
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_ts_parser
           UNION ALL SELECT max(oid) FROM pg_catalog.pg_ts_template
       ) AS k) AS oid,
       array(SELECT o.objid FROM own AS o) AS own

-- name: touched
-- For a login that no role confines: the relations and other objects that this backend has locked, what it did to
-- their rows, and the rows of the catalogue that this very transaction wrote (their xmin is still in progress, and
-- visible to us alone). A lock on something that exists no more and is older than the script is a neighbour, dropped.
WITH allowed AS (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY (%(allowed)s::text[]) OR n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast')
), home AS (
    -- Reading the catalogue locks it, and large values are kept in pg_toast; yet nobody makes or changes what is PostgreSQL's own.
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ANY (%(allowed)s::text[]) OR n.nspname = 'pg_toast'
), mine AS (
    SELECT pg_catalog.pg_current_xact_id() AS xid
)
SELECT 'relation' AS kind, coalesce(n.nspname || '.' || c.relname, 'number ' || l.relation || ', dropped') AS object,
       pg_catalog.string_agg(l.mode, ',' ORDER BY l.mode) || '/'
           || coalesce(max(s.n_tup_ins || ',' || s.n_tup_upd || ',' || s.n_tup_del || ',' || s.seq_scan || ',' || coalesce(s.idx_scan, 0)), '') AS trace
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_xact_all_tables AS s ON s.relid = l.relation
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'
  AND CASE WHEN c.oid IS NULL THEN l.relation <= %(newest)s::oid AND l.relation <> ALL (%(own)s::oid[]) ELSE c.relnamespace NOT IN (SELECT oid FROM allowed) END
GROUP BY 2
UNION ALL
SELECT 'object', coalesce(o.type || ' ' || o.identity, 'number ' || l.objid || ', dropped'), pg_catalog.string_agg(l.mode, ',' ORDER BY l.mode)
FROM pg_catalog.pg_locks AS l
LEFT JOIN LATERAL pg_catalog.pg_identify_object(l.classid, l.objid, 0) AS o ON true
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'object' AND l.mode <> 'AccessShareLock'
  AND CASE
      WHEN o.identity IS NULL THEN l.objid <= %(newest)s::oid AND l.objid <> ALL (%(own)s::oid[])
      WHEN o.type = 'schema' THEN l.objid NOT IN (SELECT oid FROM home)
      ELSE coalesce(o.schema, '') NOT IN (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace AS n WHERE n.oid IN (SELECT oid FROM home)) END
GROUP BY 2
UNION ALL
SELECT 'catalogue entry', x.object, x.version
FROM mine, LATERAL (
    SELECT 'function ' || p.oid::pg_catalog.regprocedure::text AS object, p.xmin AS xmin, p.cmin::text AS version
    FROM pg_catalog.pg_proc AS p WHERE p.pronamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT 'type ' || t.oid::pg_catalog.regtype::text, t.xmin, t.cmin::text
    FROM pg_catalog.pg_type AS t WHERE t.typnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT 'relation ' || c.oid::pg_catalog.regclass::text, c.xmin, c.cmin::text
    FROM pg_catalog.pg_class AS c WHERE c.relnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT 'schema ' || n.nspname, n.xmin, n.cmin::text
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname <> ALL (%(allowed)s::text[])
    UNION ALL
    -- What some statements write without a lock that tells: rights on columns, dictionaries, statistics and their like.
    SELECT 'column ' || a.attrelid::pg_catalog.regclass::text || '.' || a.attname, a.xmin, a.cmin::text
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid WHERE c.relnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT pg_catalog.pg_describe_object(k.classid, k.oid, 0), k.xmin, k.version
    FROM (
        SELECT e.tableoid AS classid, e.oid, e.stxnamespace AS namespace, e.xmin, e.cmin::text AS version FROM pg_catalog.pg_statistic_ext AS e
        UNION ALL SELECT d.tableoid, d.oid, d.dictnamespace, d.xmin, d.cmin::text FROM pg_catalog.pg_ts_dict AS d
        UNION ALL SELECT f.tableoid, f.oid, f.cfgnamespace, f.xmin, f.cmin::text FROM pg_catalog.pg_ts_config AS f
        UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, f.oid, f.cfgnamespace, m.xmin, m.cmin::text
                  FROM pg_catalog.pg_ts_config_map AS m JOIN pg_catalog.pg_ts_config AS f ON f.oid = m.mapcfg
        UNION ALL SELECT o.tableoid, o.oid, o.collnamespace, o.xmin, o.cmin::text FROM pg_catalog.pg_collation AS o
        UNION ALL SELECT v.tableoid, v.oid, v.connamespace, v.xmin, v.cmin::text FROM pg_catalog.pg_conversion AS v
        UNION ALL SELECT r.tableoid, r.oid, r.oprnamespace, r.xmin, r.cmin::text FROM pg_catalog.pg_operator AS r
        UNION ALL SELECT s.tableoid, s.oid, s.opcnamespace, s.xmin, s.cmin::text FROM pg_catalog.pg_opclass AS s
        UNION ALL SELECT y.tableoid, y.oid, y.opfnamespace, y.xmin, y.cmin::text FROM pg_catalog.pg_opfamily AS y
        UNION ALL SELECT k.tableoid, k.oid, k.connamespace, k.xmin, k.cmin::text FROM pg_catalog.pg_constraint AS k
        UNION ALL SELECT g.tableoid, g.oid, c.relnamespace, g.xmin, g.cmin::text FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
        UNION ALL SELECT w.tableoid, w.oid, c.relnamespace, w.xmin, w.cmin::text FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
        UNION ALL SELECT y.tableoid, y.oid, c.relnamespace, y.xmin, y.cmin::text FROM pg_catalog.pg_policy AS y JOIN pg_catalog.pg_class AS c ON c.oid = y.polrelid
    ) AS k
    WHERE k.namespace NOT IN (SELECT oid FROM home)
    UNION ALL
    -- What is in no schema: it has to be for a type, or a family of operators, of the script's own.
    SELECT pg_catalog.pg_describe_object(k.tableoid, k.oid, 0), k.xmin, k.cmin::text
    FROM pg_catalog.pg_cast AS k
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.oid IN (k.castsource, k.casttarget) AND t.typnamespace IN (SELECT oid FROM home))
    UNION ALL
    SELECT pg_catalog.pg_describe_object(k.tableoid, k.oid, 0), k.xmin, k.cmin::text
    FROM pg_catalog.pg_transform AS k JOIN pg_catalog.pg_type AS t ON t.oid = k.trftype
    WHERE t.typnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT pg_catalog.pg_describe_object(k.tableoid, k.oid, 0), k.xmin, k.cmin::text
    FROM pg_catalog.pg_amop AS k JOIN pg_catalog.pg_opfamily AS y ON y.oid = k.amopfamily
    WHERE y.opfnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    SELECT pg_catalog.pg_describe_object(k.tableoid, k.oid, 0), k.xmin, k.cmin::text
    FROM pg_catalog.pg_amproc AS k JOIN pg_catalog.pg_opfamily AS y ON y.oid = k.amprocfamily
    WHERE y.opfnamespace NOT IN (SELECT oid FROM home)
    UNION ALL
    -- Whatever its kind: all that is made in, or moved to, a schema depends on it.
    SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0), d.xmin, d.cmin::text
    FROM pg_catalog.pg_depend AS d
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid NOT IN (SELECT oid FROM home)
) AS x
-- In this order: an older transaction's number, taken for one of this epoch, would lie in the future, and that is an error.
WHERE CASE
    WHEN x.xmin::text::bigint < 3 OR pg_catalog.age(x.xmin) > pg_catalog.age(mine.xid::pg_catalog.xid) THEN false
    ELSE pg_catalog.pg_xact_status((
        (mine.xid::text::bigint - (mine.xid::text::bigint %% 4294967296) + x.xmin::text::bigint)::text)::pg_catalog.xid8) = 'in progress' END
