-- The statements that make a schema again, as PostgreSQL's own catalogue has it.

-- name: objects
-- One row for each statement: the object that it is for, a stage that orders what does not depend on each other, and its text. Names of the
-- schema's own are printed without it: it is put on the search path as for the fingerprint, in the statement itself.
WITH home AS MATERIALIZED (
    SELECT oid, set_config('search_path', quote_ident(nspname) || ', pg_temp', true) FROM pg_namespace WHERE nspname = %(schema)s
),
relation AS (
    SELECT c.*, quote_ident(c.relname) AS name,
        (SELECT string_agg(regexp_replace(o, '^([^=]+)=(.*)$', '\1=''\2'''), ', ')
         FROM (SELECT unnest(c.reloptions) UNION ALL
               SELECT 'toast.' || unnest(s.reloptions) FROM pg_class s WHERE s.oid = c.reltoastrelid) AS option (o)) AS options,
        CASE WHEN c.relkind = 'p' THEN 'ONLY ' ELSE '' END AS only_it
    FROM pg_class c JOIN home ON c.relnamespace = home.oid
),
number AS (
    -- What counts: sequences, and those behind identities.
    SELECT r.oid, r.name, format_type(s.seqtypid, NULL) AS type,
        concat_ws(' ', 'START WITH', s.seqstart, 'INCREMENT BY', s.seqincrement, 'MINVALUE', s.seqmin, 'MAXVALUE', s.seqmax, 'CACHE', s.seqcache,
            CASE WHEN s.seqcycle THEN 'CYCLE' END) AS options,
        d.deptype, d.refobjid, d.refobjsubid
    FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')
),
attribute AS (
    SELECT r.name AS host, r.relkind, r.relispartition, a.*, quote_ident(a.attname) AS name, t.typstorage,
        concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
            CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END,
            CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
            CASE WHEN a.attgenerated <> '' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END,
            CASE WHEN a.attidentity <> '' AND NOT r.relispartition THEN
                'GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END || ' AS IDENTITY ('
                || (SELECT concat_ws(' ', 'SEQUENCE NAME', n.name, n.options) FROM number n WHERE n.refobjid = r.oid AND n.refobjsubid = a.attnum) || ')' END,
            -- A constraint with a name since PostgreSQL 18; older ones take the name and forget it.
            CASE WHEN a.attnotnull THEN concat_ws(' ', 'CONSTRAINT ' || quote_ident(nullif(n.conname, r.relname || '_' || a.attname || '_not_null')), 'NOT NULL',
                CASE WHEN n.connoinherit THEN 'NO INHERIT' END) END) AS definition
    FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_constraint n ON n.conrelid = r.oid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
),
own_constraint AS (
    SELECT o.*, quote_ident(o.conname) AS name, r.name AS host, r.only_it, coalesce(r.relispartition, false) AS partition, pg_get_constraintdef(o.oid, true) AS definition
    FROM pg_constraint o JOIN home ON o.connamespace = home.oid LEFT JOIN relation r ON r.oid = o.conrelid
),
object (classid, objid, part, stage, name, statement) AS (
    SELECT 'pg_collation'::regclass::oid, l.oid, '', 0, l.collname,
        concat_ws(', ', 'CREATE COLLATION ' || quote_ident(l.collname) || ' (provider = ' || CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
            -- What a locale is called has changed from release to release.
            'locale = ' || quote_literal(coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale')),
            'lc_collate = ' || quote_literal(l.collcollate), 'lc_ctype = ' || quote_literal(l.collctype),
            'rules = ' || quote_literal(to_jsonb(l) ->> 'collicurules'),
            CASE WHEN NOT l.collisdeterministic THEN 'deterministic = false' END) || ')'
    FROM pg_collation l JOIN home ON l.collnamespace = home.oid
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, '', 1, t.typname, CASE t.typtype
        WHEN 'e' THEN 'CREATE TYPE ' || quote_ident(t.typname) || ' AS ENUM ('
            || coalesce((SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), '') || ')'
        WHEN 'd' THEN concat_ws(' ', 'CREATE DOMAIN', quote_ident(t.typname), 'AS', format_type(t.typbasetype, t.typtypmod),
            CASE WHEN t.typcollation <> 0 AND t.typcollation <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype)
                 THEN 'COLLATE ' || t.typcollation::regcollation END,
            'DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)), CASE WHEN t.typnotnull THEN 'NOT NULL' END)
        WHEN 'c' THEN 'CREATE TYPE ' || quote_ident(t.typname) || ' AS ('
            || coalesce((SELECT string_agg(a.definition, ', ' ORDER BY a.attnum) FROM attribute a WHERE a.attrelid = t.typrelid), '') || ')'
        ELSE (SELECT concat_ws(', ', 'CREATE TYPE ' || quote_ident(t.typname) || ' AS RANGE (SUBTYPE = ' || format_type(g.rngsubtype, NULL),
                'SUBTYPE_OPCLASS = ' || (SELECT CASE WHEN NOT pg_opclass_is_visible(k.oid) THEN quote_ident(s.nspname) || '.' ELSE '' END || quote_ident(k.opcname)
                                         FROM pg_opclass k JOIN pg_namespace s ON s.oid = k.opcnamespace WHERE k.oid = g.rngsubopc AND NOT k.opcdefault),
                CASE WHEN g.rngcollation <> 0 AND g.rngcollation <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = g.rngsubtype)
                     THEN 'COLLATION = ' || g.rngcollation::regcollation END,
                CASE WHEN g.rngsubdiff <> 0 THEN 'SUBTYPE_DIFF = ' || g.rngsubdiff::regproc END,
                'MULTIRANGE_TYPE_NAME = ' || quote_ident(m.typname)) || ')'
              FROM pg_range g JOIN pg_type m ON m.oid = g.rngmultitypid WHERE g.rngtypid = t.oid) END
    FROM pg_type t JOIN home ON t.typnamespace = home.oid LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')
    UNION ALL
    -- NOT NULL is said with its column; from PostgreSQL 18 on it is a constraint as well.
    SELECT 'pg_constraint'::regclass, o.oid, '', 2, o.conname, concat_ws(' ', 'ALTER DOMAIN', o.contypid::regtype, 'ADD CONSTRAINT', o.name, o.definition)
    FROM own_constraint o WHERE o.contypid <> 0 AND o.contype <> 'n'
    UNION ALL
    SELECT 'pg_class'::regclass, n.oid, '', 3, n.name, concat_ws(' ', 'CREATE SEQUENCE', n.name, 'AS', n.type, n.options) FROM number n WHERE n.deptype IS DISTINCT FROM 'i'
    UNION ALL
    SELECT 'pg_class'::regclass, n.oid, 'owner', 14, n.name, format('ALTER SEQUENCE %%s OWNED BY %%s.%%s', n.name, a.host, a.name)
    FROM number n JOIN attribute a ON a.attrelid = n.refobjid AND a.attnum = n.refobjsubid WHERE n.deptype = 'a'
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, '', 4, p.proname, regexp_replace(pg_get_functiondef(p.oid), '\s+$', '')
    FROM pg_proc p JOIN home ON p.pronamespace = home.oid
    WHERE p.prokind IN ('f', 'p', 'w')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, '', 5, p.proname,
        concat_ws(', ', format('CREATE AGGREGATE %%I (%%s) (SFUNC = %%s, STYPE = %%s', p.proname, pg_get_function_arguments(p.oid), g.aggtransfn::regproc, format_type(g.aggtranstype, NULL)),
            'SSPACE = ' || nullif(g.aggtransspace, 0),
            CASE WHEN g.aggfinalfn <> 0 THEN concat_ws(', ', 'FINALFUNC = ' || g.aggfinalfn::regproc, CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END) END,
            CASE WHEN g.aggcombinefn <> 0 THEN 'COMBINEFUNC = ' || g.aggcombinefn::regproc END,
            'INITCOND = ' || quote_literal(g.agginitval),
            CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END) || ')'
    FROM pg_proc p JOIN home ON p.pronamespace = home.oid JOIN pg_aggregate g ON g.aggfnoid = p.oid
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, '', 10, r.name,
        concat_ws(' ', CASE r.relpersistence WHEN 'u' THEN 'CREATE UNLOGGED TABLE' ELSE 'CREATE TABLE' END, r.name, '(' || coalesce((
            SELECT E'\n    ' || string_agg(line.text, E',\n    ' ORDER BY line.place, line.text) || E'\n'
            FROM (SELECT a.definition, a.attnum FROM attribute a WHERE a.attrelid = r.oid AND (a.attislocal OR r.relispartition)
                  UNION ALL
                  -- A partition has to have them when it comes to its table.
                  SELECT format('CONSTRAINT %%s %%s', o.name, o.definition), 10000 FROM own_constraint o WHERE o.conrelid = r.oid AND o.contype = 'c' AND r.relispartition
            ) AS line (text, place)), '') || ')',
            CASE WHEN NOT r.relispartition THEN 'INHERITS (' || (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid) || ')' END,
            CASE WHEN r.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(r.oid) END,
            'USING ' || (SELECT quote_ident(m.amname) FROM pg_am m WHERE m.oid = r.relam AND m.amname <> 'heap'), 'WITH (' || r.options || ')')
    FROM relation r WHERE r.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 'partition', 12, r.name,
        concat_ws(' ', 'ALTER TABLE ONLY', i.inhparent::regclass, 'ATTACH PARTITION', r.name, pg_get_expr(r.relpartbound, r.oid))
    FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid WHERE r.relkind IN ('r', 'p') AND r.relispartition
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, '', 16, a.host || '.' || a.name,
        format('ALTER %%s %%s ALTER COLUMN %%s SET DEFAULT %%s', CASE a.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE ONLY' END, a.host, a.name, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attrdef d JOIN attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated = '' AND (a.attislocal OR a.relispartition OR a.attinhcount > 0)
    UNION ALL
    SELECT 'pg_constraint'::regclass, o.oid, '', CASE o.contype WHEN 'c' THEN 18 WHEN 'f' THEN 65 ELSE 20 END, o.host || '.' || o.name,
        format('ALTER TABLE %%s%%s ADD CONSTRAINT %%s %%s', CASE WHEN o.contype IN ('p', 'u', 'x') THEN o.only_it ELSE '' END, o.host, o.name, o.definition)
    FROM own_constraint o
    WHERE o.contype IN ('p', 'u', 'x', 'f', 'c') AND o.host IS NOT NULL
      AND CASE o.contype WHEN 'c' THEN o.conislocal AND NOT o.partition WHEN 'f' THEN o.conparentid = 0 ELSE true END
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, '', 22, r.name, pg_get_indexdef(r.oid, 0, true)
    FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = r.oid AND o.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 'partition', 24, r.name, format('ALTER INDEX %%s ATTACH PARTITION %%s', i.inhparent::regclass, r.name)
    FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid WHERE r.relkind IN ('i', 'I')
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, '', 26, r.name,
        concat_ws(' ', 'CREATE ' || CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, r.name, 'WITH (' || r.options || ')',
            'AS' || E'\n' || rtrim(pg_get_viewdef(r.oid, true), ';'), CASE WHEN r.relkind = 'm' AND NOT r.relispopulated THEN 'WITH NO DATA' END)
    FROM relation r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, '', 40, s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN home ON s.stxnamespace = home.oid
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 'target', 41, s.stxname, format('ALTER STATISTICS %%I SET STATISTICS %%s', s.stxname, s.stxstattarget)
    FROM pg_statistic_ext s JOIN home ON s.stxnamespace = home.oid WHERE s.stxstattarget >= 0
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, 'storage ' || a.attnum, 50, a.host || '.' || a.name,
        format('ALTER TABLE ONLY %%s ALTER COLUMN %%s SET STORAGE %%s', a.host, a.name, CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END)
    FROM attribute a WHERE a.relkind IN ('r', 'p', 'm') AND a.attstorage <> a.typstorage
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, 'target ' || a.attnum, 50, a.host || '.' || a.name,
        format('ALTER %%s %%s ALTER COLUMN %%s SET STATISTICS %%s', CASE WHEN a.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE ONLY' END, a.host,
            CASE WHEN a.relkind IN ('i', 'I') THEN a.attnum::text ELSE a.name END, a.attstattarget)
    FROM attribute a WHERE a.attstattarget >= 0 AND a.relkind IN ('r', 'p', 'm', 'i', 'I')
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, 'options ' || a.attnum, 50, a.host || '.' || a.name,
        format('ALTER TABLE ONLY %%s ALTER COLUMN %%s SET (%%s)', a.host, a.name, o.options)
    -- PostgreSQL has no other options of columns; what else a server keeps there is its own.
    FROM attribute a CROSS JOIN LATERAL (SELECT string_agg(text, ', ' ORDER BY text) FROM unnest(a.attoptions) AS option (text) WHERE text LIKE 'n\_distinct%%') AS o (options)
    WHERE o.options IS NOT NULL AND a.relkind IN ('r', 'p', 'm')
    UNION ALL
    SELECT 'pg_class'::regclass, x.oid, 'cluster', 51, x.name, format('ALTER TABLE %%s CLUSTER ON %%s', i.indrelid::regclass, x.name)
    FROM relation x JOIN pg_index i ON i.indexrelid = x.oid WHERE i.indisclustered
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 'identity', 51, r.name, concat_ws(' ', 'ALTER TABLE ONLY', r.name, 'REPLICA IDENTITY',
        CASE r.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || (SELECT x.name FROM relation x JOIN pg_index i ON i.indexrelid = x.oid WHERE i.indrelid = r.oid AND i.indisreplident) END)
    FROM relation r WHERE r.relkind IN ('r', 'p') AND r.relreplident <> 'd'
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, '', 55, r.name || '.' || w.rulename, rtrim(pg_get_ruledef(w.oid, true), ';')
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, 'state', 56, r.name || '.' || w.rulename,
        format('ALTER TABLE %%s %%s RULE %%I', r.name, CASE w.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, w.rulename)
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN' AND w.ev_enabled <> 'O'
    UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, '', 60, r.name || '.' || g.tgname, pg_get_triggerdef(g.oid, true)
    FROM pg_trigger g JOIN relation r ON r.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgparentid = 0
    UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, 'state', 61, r.name || '.' || g.tgname,
        format('ALTER TABLE %%s %%s TRIGGER %%I', r.name, CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, g.tgname)
    FROM pg_trigger g JOIN relation r ON r.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'O'
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 'security', 70, r.name, format('ALTER TABLE ONLY %%s ENABLE ROW LEVEL SECURITY', r.name) FROM relation r WHERE r.relrowsecurity
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 'force', 71, r.name, format('ALTER TABLE ONLY %%s FORCE ROW LEVEL SECURITY', r.name) FROM relation r WHERE r.relforcerowsecurity
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, '', 72, r.name || '.' || p.polname,
        concat_ws(' ', format('CREATE POLICY %%I ON %%s', p.polname, r.name), CASE WHEN NOT p.polpermissive THEN 'AS RESTRICTIVE' END,
            'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END,
            'TO ' || (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ' ORDER BY role) FROM unnest(p.polroles) role),
            'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
),
described AS (
    SELECT DISTINCT classid, objid FROM object
    UNION SELECT 'pg_constraint'::regclass, oid FROM own_constraint
    UNION SELECT 'pg_class'::regclass, oid FROM relation
)
SELECT o.classid || '/' || o.objid || '/' || o.part AS key, o.stage, o.name::text AS name, o.statement FROM object o
UNION ALL
SELECT d.classoid || '/' || d.objoid || '/comment ' || d.objsubid, 90, i.identity, concat_ws(' ', 'COMMENT ON', CASE
        WHEN i.type LIKE '%%column' THEN 'COLUMN ' || i.identity
        WHEN i.type = 'domain constraint' THEN 'CONSTRAINT ' || replace(i.identity, ' on ', ' ON DOMAIN ')
        WHEN i.type = 'table constraint' THEN 'CONSTRAINT ' || i.identity
        WHEN i.type = 'composite type' THEN 'TYPE ' || i.identity
        WHEN i.type = 'statistics object' THEN 'STATISTICS ' || i.identity
        ELSE upper(i.type) || ' ' || i.identity END, 'IS', quote_literal(d.description))
FROM described h JOIN pg_description d ON d.classoid = h.classid AND d.objoid = h.objid
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
ORDER BY 2, 3, 1

-- name: dependencies
-- What has to be there before what, by the keys of the statements. Parts of an object stand for it: its row type, what backs a constraint.
WITH home AS (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s),
node (classid, objid, owner_class, owner) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, coalesce(
            CASE WHEN c.relkind = 'c' THEN 'pg_type'::regclass::oid WHEN o.oid IS NOT NULL THEN 'pg_constraint'::regclass::oid END, 'pg_class'::regclass::oid),
        CASE WHEN c.relkind = 'c' THEN c.reltype ELSE coalesce(o.oid, s.refobjid, c.oid) END
    FROM pg_class c JOIN home ON c.relnamespace = home.oid
    LEFT JOIN pg_constraint o ON o.conindid = c.oid AND o.contype IN ('p', 'u', 'x')
    LEFT JOIN pg_depend s ON c.relkind = 'S' AND s.classid = 'pg_class'::regclass AND s.objid = c.oid AND s.refclassid = 'pg_class'::regclass AND s.deptype = 'i'
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, CASE WHEN c.relkind <> 'c' THEN 'pg_class'::regclass ELSE 'pg_type'::regclass END, CASE WHEN c.relkind <> 'c' THEN c.oid ELSE base.oid END
    FROM pg_type t JOIN home ON t.typnamespace = home.oid
    -- An array stands for its element, a multirange for its range.
    CROSS JOIN LATERAL (SELECT coalesce((SELECT e.oid FROM pg_type e WHERE e.typarray = t.oid), (SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid), t.oid)) AS base (oid)
    LEFT JOIN pg_type b ON b.oid = base.oid LEFT JOIN pg_class c ON c.oid = b.typrelid
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, CASE WHEN a.attgenerated <> '' THEN 'pg_class'::regclass ELSE 'pg_attrdef'::regclass END, CASE WHEN a.attgenerated <> '' THEN d.adrelid ELSE d.oid END
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN home ON c.relnamespace = home.oid
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, CASE w.rulename WHEN '_RETURN' THEN 'pg_class'::regclass ELSE 'pg_rewrite'::regclass END, CASE w.rulename WHEN '_RETURN' THEN w.ev_class ELSE w.oid END
    FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN home ON c.relnamespace = home.oid
    UNION ALL
    SELECT 'pg_constraint'::regclass, o.oid, CASE WHEN o.contype = 'c' AND c.relispartition THEN 'pg_class'::regclass ELSE 'pg_constraint'::regclass END,
        CASE WHEN o.contype = 'c' AND c.relispartition THEN c.oid ELSE o.oid END
    FROM pg_constraint o JOIN home ON o.connamespace = home.oid LEFT JOIN pg_class c ON c.oid = o.conrelid
    UNION ALL
    SELECT k.classid, k.oid, k.classid, k.oid
    FROM (SELECT 'pg_proc'::regclass::oid AS classid, p.oid, p.pronamespace AS namespace FROM pg_proc p
          UNION ALL SELECT 'pg_collation'::regclass, l.oid, l.collnamespace FROM pg_collation l
          UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxnamespace FROM pg_statistic_ext s
          UNION ALL SELECT 'pg_trigger'::regclass, g.oid, c.relnamespace FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
          UNION ALL SELECT 'pg_policy'::regclass, p.oid, c.relnamespace FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid) AS k
    JOIN home ON k.namespace = home.oid
),
part AS (
    SELECT i.inhrelid, i.inhparent, c.relkind FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition JOIN home ON c.relnamespace = home.oid
)
SELECT n.owner_class || '/' || n.owner || '/' AS key, r.owner_class || '/' || r.owner || '/' AS needs
FROM pg_depend d
JOIN node n ON n.classid = d.classid AND n.objid = d.objid
JOIN node r ON r.classid = d.refclassid AND r.objid = d.refobjid
WHERE (n.owner_class, n.owner) <> (r.owner_class, r.owner)
  -- A column owns its sequence only when both are there; an index of a partition comes by itself, and to its table's afterwards.
  AND NOT (d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass AND d.refobjsubid > 0 AND EXISTS (SELECT FROM pg_sequence s WHERE s.seqrelid = d.objid))
  AND d.deptype NOT IN ('P', 'S')
UNION
-- Partitions come to their table before anything is made on it.
SELECT o.owner_class || '/' || o.owner || '/', 'pg_class'::regclass::oid || '/' || p.inhrelid || '/partition'
FROM part p JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid IN (p.inhparent, p.inhrelid) AND d.deptype IN ('a', 'i', 'n')
JOIN node o ON o.classid = d.classid AND o.objid = d.objid
WHERE p.relkind IN ('r', 'p') AND (o.owner_class <> 'pg_class'::regclass OR EXISTS (SELECT FROM pg_class x WHERE x.oid = o.owner AND x.relkind IN ('i', 'I', 'v', 'm')))
UNION
SELECT 'pg_class'::regclass::oid || '/' || p.inhrelid || '/partition', n.owner_class || '/' || n.owner || '/'
FROM part p JOIN node n ON n.classid = 'pg_class'::regclass AND n.objid IN (p.inhrelid, p.inhparent)

-- name: beyond
-- What a schema holds that these statements do not make.
WITH home AS (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
SELECT pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_depend d JOIN home ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = home.oid
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
LEFT JOIN pg_range g ON g.rngtypid = t.oid
LEFT JOIN pg_aggregate a ON d.classid = 'pg_proc'::regclass AND a.aggfnoid = d.objid
WHERE d.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_constraint'::regclass, 'pg_statistic_ext'::regclass, 'pg_collation'::regclass)
   OR c.relkind = 'f' OR c.reloftype <> 0 OR (c.relkind = 'S' AND c.relpersistence <> 'p') OR t.typtype IN ('b', 'p') AND t.typcategory <> 'A' OR g.rngcanonical <> 0
   OR a.aggkind <> 'n' OR a.aggmtransfn <> 0 OR a.aggserialfn <> 0 OR a.aggsortop <> 0
UNION
SELECT pg_describe_object(k.classid, k.objid, 0)
FROM pg_depend k JOIN pg_type t ON k.refclassid = 'pg_type'::regclass AND k.refobjid = t.oid JOIN home ON t.typnamespace = home.oid
-- A range has a cast to its multirange by itself.
WHERE k.classid IN ('pg_cast'::regclass, 'pg_transform'::regclass) AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = k.classid AND i.objid = k.objid AND i.deptype = 'i')
UNION
-- A function that goes to its schema by name, whatever it is called in: it would leave the tenant's for this one.
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0)
FROM pg_proc p JOIN home ON p.pronamespace = home.oid
WHERE position(quote_literal(%(schema)s) IN p.prosrc) > 0 OR EXISTS (
    SELECT FROM unnest(p.proconfig) AS setting (text), regexp_split_to_table(substr(text, 13), '\s*,\s*') AS path (name)
    WHERE text LIKE 'search\_path=%%' AND trim(BOTH '"' FROM name) = %(schema)s)
ORDER BY 1

-- name: grounds
-- What the schema stands on elsewhere: extensions, and schemas of others.
WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = %(schema)s
    UNION
    SELECT d.classid, d.objid FROM own JOIN pg_depend d ON d.refclassid = own.classid AND d.refobjid = own.objid WHERE d.deptype IN ('a', 'i', 'P', 'S')
), ground AS (
    SELECT DISTINCT d.refclassid AS classid, d.refobjid AS objid FROM own JOIN pg_depend d ON d.classid = own.classid AND d.objid = own.objid
    WHERE NOT EXISTS (SELECT FROM own o WHERE o.classid = d.refclassid AND o.objid = d.refobjid)
)
SELECT x.extname::text AS extension, n.nspname::text AS schema, pg_describe_object(g.classid, g.objid, 0) AS object
FROM ground g CROSS JOIN LATERAL pg_identify_object(g.classid, g.objid, 0) AS i
LEFT JOIN pg_namespace n ON quote_ident(n.nspname) = i.schema
LEFT JOIN pg_depend e ON e.deptype = 'e' AND ((e.classid = g.classid AND e.objid = g.objid)
    OR (e.classid, e.objid) IN (SELECT w.refclassid, w.refobjid FROM pg_depend w WHERE w.classid = g.classid AND w.objid = g.objid AND w.deptype = 'i'))
LEFT JOIN pg_extension x ON e.refclassid = 'pg_extension'::regclass AND x.oid = e.refobjid OR g.classid = 'pg_extension'::regclass AND x.oid = g.objid
WHERE coalesce(i.schema, '') NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND g.classid <> 'pg_namespace'::regclass
  -- What backs a key that is referred to goes with its table.
  AND NOT EXISTS (SELECT FROM pg_class c WHERE g.classid = 'pg_class'::regclass AND c.oid = g.objid AND c.relkind IN ('i', 'I'))
ORDER BY 1, 2, 3

-- name: may_read
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usable, pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner
FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(schema)s

-- name: whole_rows
-- A policy that would hide rows is an error instead.
SELECT pg_catalog.set_config('row_security', 'off', true)

-- name: rows_up_to
SELECT pg_catalog.count(*) AS rows FROM (SELECT FROM {table} LIMIT {limit}) AS counted

-- name: copy_records
-- Each row as one document whose values are texts, in the order of the key.
COPY (SELECT pg_catalog.json_build_object({members})::text FROM {table} ORDER BY {order}) TO STDOUT

-- name: surrogates
-- Columns whose values the database makes up: identities, defaults that draw a number or a uuid.
SELECT c.relname::text AS table, a.attname::text AS column
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND (a.attidentity <> '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '(nextval|uuid)')

-- name: partitions
SELECT c.relname::text AS name FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND (c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid AND c.relkind = 'r'))

-- name: unreadable
SELECT c.relname::text AS name,
    CASE WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'row-level security hides rows from this login' ELSE 'this login may not read it' END AS why
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND (NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.row_security_active(c.oid))

-- name: unread_bodies
SET LOCAL check_function_bodies = off
