-- What a schema holds, asked of PostgreSQL's own catalogue.

-- name: read_tables
-- One row for each table of a schema, its parts as JSON. Domains are followed to their base type, whatever their depth.
WITH RECURSIVE tables AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relrowsecurity AS row_security,
        -- By what the default depends on: to read its text is to lock the table, and plans read those of neighbours too.
        EXISTS (SELECT FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                JOIN pg_depend e ON e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid
                    AND e.refclassid = 'pg_proc'::regclass AND e.refobjid = to_regprocedure('tenancy.tenant_uid()')
                WHERE a.attrelid = c.oid AND a.attname = %(tenant_column)s AND a.attnotnull) AS shared,
        CASE p.partstrat WHEN 'r' THEN 'range' WHEN 'l' THEN 'list' WHEN 'h' THEN 'hash' ELSE '' END AS partition_strategy,
        coalesce((SELECT jsonb_agg(a.attname ORDER BY k.position)
                  FROM unnest(p.partattrs::int2[]) WITH ORDINALITY k (number, position)
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number), '[]') AS partition_key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
), base AS (
    SELECT t.oid AS declared, t.oid, t.typtype, t.typbasetype, t.typtypmod
    FROM pg_type t
    WHERE t.oid IN (SELECT a.atttypid FROM pg_attribute a JOIN tables ON a.attrelid = tables.oid WHERE a.attnum > 0)
    UNION ALL
    SELECT b.declared, t.oid, t.typtype, t.typbasetype, CASE WHEN b.typtypmod >= 0 OR t.typtype <> 'd' THEN b.typtypmod ELSE t.typtypmod END
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
), reference AS (
    SELECT o.conrelid, o.confrelid, o.oid, jsonb_build_object(
        'name', o.conname,
        'schema', here_schema.nspname, 'table', here.relname, 'columns', here_names.list,
        'target_schema', there_schema.nspname, 'target_table', there.relname, 'target_columns', there_names.list,
        'definition', pg_get_constraintdef(o.oid)) AS foreign_key
    FROM pg_constraint o
    JOIN pg_class here ON here.oid = o.conrelid JOIN pg_namespace here_schema ON here_schema.oid = here.relnamespace
    JOIN pg_class there ON there.oid = o.confrelid JOIN pg_namespace there_schema ON there_schema.oid = there.relnamespace
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(a.attname ORDER BY k.position) AS list
        FROM unnest(o.conkey) WITH ORDINALITY k (number, position) JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number
    ) here_names
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(a.attname ORDER BY k.position) AS list
        FROM unnest(o.confkey) WITH ORDINALITY k (number, position) JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number
    ) there_names
    WHERE o.contype = 'f' AND o.conparentid = 0 AND (o.conrelid IN (SELECT oid FROM tables) OR o.confrelid IN (SELECT oid FROM tables))
)
SELECT
    t.schema, t.name, t.partition_strategy, t.partition_key, t.row_security, t.shared,
    EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal) AS has_triggers,
    coalesce(columns.list, '[]') AS columns,
    coalesce(indexes.list, '[]') AS indexes,
    coalesce((SELECT jsonb_agg(r.foreign_key ORDER BY r.foreign_key ->> 'name') FROM reference r WHERE r.conrelid = t.oid), '[]') AS foreign_keys,
    coalesce((SELECT jsonb_agg(r.foreign_key ORDER BY r.foreign_key ->> 'name', r.oid) FROM reference r WHERE r.confrelid = t.oid), '[]') AS referenced_by
FROM tables t
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'name', a.attname,
        'nullable', NOT (a.attnotnull OR declared.typnotnull),
        'has_default', a.atthasdef OR declared.typdefault IS NOT NULL,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
        'generated', a.attgenerated <> '',
        'type', jsonb_build_object(
            'name', type.typname,
            'declared', format_type(a.atttypid, a.atttypmod),
            'category', type.typcategory,
            'length', CASE WHEN type.typname IN ('varchar', 'bpchar') AND m.typmod > 4 THEN m.typmod - 4 END,
            'precision', CASE
                WHEN type.typname = 'numeric' AND m.typmod > 4 THEN ((m.typmod - 4) >> 16) & 65535
                WHEN type.typname IN ('timestamp', 'timestamptz', 'time', 'timetz') AND m.typmod >= 0 THEN m.typmod
            END,
            -- Eleven bits with a sign since PostgreSQL 15: a scale may be negative.
            'scale', CASE WHEN type.typname = 'numeric' AND m.typmod > 4 THEN (((m.typmod - 4) & 2047) # 1024) - 1024 END,
            'element', element.typname,
            'labels', coalesce((SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = type.oid), '[]'),
            'domain', declared.typtype = 'd')
        ) ORDER BY a.attnum) AS list
    FROM pg_attribute a
    JOIN pg_type declared ON declared.oid = a.atttypid
    JOIN base b ON b.declared = a.atttypid AND b.typtype <> 'd'
    JOIN pg_type type ON type.oid = b.oid
    LEFT JOIN pg_type element ON element.oid = type.typelem AND type.typcategory = 'A'
    CROSS JOIN LATERAL (SELECT CASE WHEN declared.typtype = 'd' THEN b.typtypmod ELSE a.atttypmod END AS typmod) m
    WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
) columns ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'name', c.relname,
        'columns', coalesce((
            SELECT jsonb_agg(a.attname ORDER BY k.position)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, position)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE k.position <= i.indnkeyatts), '[]'),
        -- Of the whole table by plain columns: an index of some rows, or over expressions, keeps no key apart.
        'unique', i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL,
        'primary', i.indisprimary,
        'definition', coalesce(pg_get_constraintdef(o.oid), pg_get_indexdef(i.indexrelid)),
        'constraint', o.conname
        ) ORDER BY c.relname) AS list
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x') AND o.conrelid = i.indrelid
    WHERE i.indrelid = t.oid
) indexes ON true
ORDER BY t.name

-- name: look_from
-- What the fingerprint means is read with PostgreSQL's own names alone; the savepoint around takes this back. Compiling a
-- statement of this size takes a hundred times as long as running it.
SELECT pg_catalog.quote_ident(%(schema)s), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('jit', 'off', true)

-- name: fingerprint
-- One row for each object of a schema: what it is, and PostgreSQL's own definition of it. Rows of data, statistics, owners,
-- rights and what a sequence has counted to are no part of a structure, nor are partitions for a range of values: they come
-- and go with the data. Names of the schema's own objects are printed without
-- it, so it is put on the search path; and that is done in the statement itself, when all names in it have their meaning:
-- functions and operators of the schema must not be taken for the ones meant here, they would run with the rights of who looks.
WITH home AS MATERIALIZED (
    SELECT oid, nspname, set_config('search_path', quote_ident(nspname) || ', pg_temp', true) FROM pg_namespace WHERE nspname = %(schema)s
),
partition AS (
    SELECT c.oid FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_partitioned_table p ON p.partrelid = i.inhparent
    WHERE p.partstrat = 'r' AND c.oid <> p.partdefid
),
relation AS (
    SELECT c.* FROM pg_class c JOIN home ON c.relnamespace = home.oid
    WHERE c.oid NOT IN (SELECT oid FROM partition)
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indrelid IN (SELECT oid FROM partition))
),
own_constraint AS (
    SELECT o.*, coalesce(r.relname, t.typname) AS host
    FROM pg_constraint o JOIN home ON o.connamespace = home.oid
    LEFT JOIN pg_class r ON r.oid = o.conrelid
    LEFT JOIN pg_type t ON t.oid = o.contypid
    -- From PostgreSQL 18 on NOT NULL is a constraint too; here it is said with its column.
    WHERE o.contype <> 'n' AND o.conrelid NOT IN (SELECT oid FROM partition) AND o.confrelid NOT IN (SELECT oid FROM partition)
),
commented (classid, objid) AS (
    SELECT 'pg_class'::regclass, oid FROM relation
    UNION ALL SELECT 'pg_constraint'::regclass, oid FROM own_constraint
    UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN home ON p.pronamespace = home.oid
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN home ON t.typnamespace = home.oid
    UNION ALL SELECT 'pg_trigger'::regclass, g.oid FROM pg_trigger g JOIN relation r ON r.oid = g.tgrelid
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
),
object (object, definition) AS (
    SELECT CASE relkind WHEN 'f' THEN 'foreign table ' ELSE 'table ' END || relname,
        concat_ws(' ', CASE relpersistence WHEN 'u' THEN 'unlogged' END, CASE relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(oid) END,
            'of ' || pg_get_expr(relpartbound, oid), CASE WHEN relrowsecurity THEN 'row security' END, CASE WHEN relforcerowsecurity THEN 'forced' END,
            'with ' || array_to_string(reloptions, ', '),
            'inherits ' || (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = relation.oid),
            CASE relreplident WHEN 'f' THEN 'replica identity full' WHEN 'n' THEN 'replica identity nothing' WHEN 'i' THEN 'replica identity index' END)
    FROM relation WHERE relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT 'column ' || r.relname || '.' || a.attname,
        concat_ws(' ', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
            CASE WHEN a.attnotnull THEN 'not null' END,
            CASE a.attidentity WHEN 'a' THEN 'generated always as identity' WHEN 'd' THEN 'generated by default as identity' END,
            CASE WHEN a.attgenerated <> '' THEN 'generated always as ' ELSE 'default ' END || pg_get_expr(d.adbin, d.adrelid))
    FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'f', 'c', 'v', 'm')
    UNION ALL
    SELECT 'constraint ' || host || '.' || conname, pg_get_constraintdef(oid) FROM own_constraint WHERE contype <> 't'
    UNION ALL
    SELECT 'index ' || r.relname, concat_ws(' ', pg_get_indexdef(r.oid), CASE WHEN i.indisclustered THEN 'clustered' END,
        CASE WHEN i.indisreplident THEN 'replica identity' END, CASE WHEN NOT i.indisvalid THEN 'invalid' END,
        'in ' || (SELECT spcname FROM pg_tablespace s WHERE s.oid = r.reltablespace),
        (SELECT 'statistics ' || string_agg(attnum || ' ' || attstattarget, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = r.oid AND attstattarget >= 0))
    FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT CASE relkind WHEN 'v' THEN 'view ' ELSE 'materialized view ' END || relname,
        concat_ws(' ', pg_get_viewdef(oid), 'with ' || array_to_string(reloptions, ', '))
    FROM relation WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'sequence ' || r.relname,
        concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache,
            CASE WHEN s.seqcycle THEN 'cycle' END,
            (SELECT 'owned by ' || o.relname || '.' || a.attname
             FROM pg_depend d JOIN pg_class o ON o.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1))
    FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        CASE p.prokind WHEN 'a' THEN (SELECT concat_ws(' ', aggtransfn::regprocedure, format_type(aggtranstype, NULL), aggfinalfn::regproc, agginitval)
                                      FROM pg_aggregate WHERE aggfnoid = p.oid)
        ELSE pg_get_functiondef(p.oid) END
    FROM pg_proc p JOIN home ON p.pronamespace = home.oid
    UNION ALL
    SELECT 'trigger ' || r.relname || '.' || g.tgname, pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' ' || g.tgenabled::text END
    FROM pg_trigger g JOIN relation r ON r.oid = g.tgrelid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT 'policy ' || r.relname || '.' || p.polname,
        concat_ws(' ', p.polcmd, CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
            'to ' || (SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE pg_get_userbyid(role) END, ', ' ORDER BY role) FROM unnest(p.polroles) role),
            'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'rule ' || r.relname || '.' || w.rulename, pg_get_ruledef(w.oid) || CASE w.ev_enabled WHEN 'O' THEN '' ELSE ' ' || w.ev_enabled::text END
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN home ON s.stxnamespace = home.oid
    UNION ALL
    SELECT 'type ' || t.typname,
        CASE t.typtype
            WHEN 'e' THEN concat('enum ', (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
            WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault)
            WHEN 'r' THEN 'range ' || (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid)
            ELSE 'composite' END
    FROM pg_type t JOIN home ON t.typnamespace = home.oid LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')
    UNION ALL
    -- By class and name and never by oid: the same object has another oid in another schema.
    SELECT 'comment on ' || pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
    FROM commented c JOIN pg_description d ON d.objoid = c.objid AND d.classoid = c.classid
)
SELECT object, definition FROM object ORDER BY object COLLATE "C", definition COLLATE "C"
