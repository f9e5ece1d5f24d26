-- Writing rows: straight into an empty table whose indexes are off, or through a staging table.
-- A statement with places in braces takes its values as literals: a column's name may hold a percent sign.

-- name: has_rows
SELECT EXISTS (SELECT FROM {table}) AS found

-- name: lock_writers
-- Readers go on; nobody else writes between the comparison with the table and the write.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE

-- name: lock_all
LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE

-- name: copy_in
COPY {relation} ({columns}) FROM STDIN (FORMAT binary)

-- name: copy_in_frozen
COPY {relation} ({columns}) FROM STDIN (FORMAT binary, FREEZE)

-- name: count_rows
SELECT count(*) AS count FROM {relation}

-- name: analyze
ANALYZE {relation}

-- name: analyze_unlocked
-- Not where another transaction does so, or has done and has not ended.
ANALYZE (SKIP_LOCKED) {relation}

-- name: worth_analyzing
-- As many rows have changed as would make autovacuum do it, or statistics were never made: it does what is less in its own time.
SELECT %(changed)s > 50 + 0.1 * greatest(c.reltuples, 0) OR c.reltuples < 0 AS found FROM pg_catalog.pg_class AS c WHERE c.oid = %(table)s::regclass

-- name: analyze_columns
ANALYZE {relation} ({columns})

-- name: search_path
SELECT pg_catalog.current_setting('search_path') AS path

-- name: set_search_path
SELECT pg_catalog.set_config('search_path', %(path)s, true)

-- name: null_keys
SELECT count(*) AS count, (array_agg({record} ORDER BY {record}))[1:{limit}] AS records FROM {rows} AS r WHERE {is_null}

-- name: sequences
-- What numbers the columns: sequences that belong to them, and those that their defaults ask.
SELECT a.attname AS column, n.nspname AS schema, s.relname AS sequence
FROM pg_attribute a
JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
                     AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE a.attrelid = %(table)s::regclass AND a.attname = ANY (%(columns)s)
UNION
SELECT a.attname, n.nspname, s.relname
FROM pg_attribute a
JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE a.attrelid = %(table)s::regclass AND a.attname = ANY (%(columns)s)
ORDER BY 1, 2, 3

-- name: move_sequence
-- Only upwards: what was handed out is never handed out again.
SELECT setval({sequence_name}::regclass, highest.value)
FROM (SELECT max({column})::bigint AS value FROM {table}) AS highest, {sequence} AS s
WHERE highest.value > s.last_value OR (highest.value = s.last_value AND NOT s.is_called)

-- name: make_stage
-- The target's own types, without its constraints; columns that the server must cast are text for now.
CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {columns}, NULL::bigint AS {record} FROM {table} WITH NO DATA

-- name: share_stage
-- No other session sees it anyway, and in this one the table's owner asks it which records an index refuses.
GRANT SELECT ON {stage} TO PUBLIC

-- name: drop_stage
DROP TABLE {stage}

-- name: column_types
-- What a text column becomes, and its base type without a length: a cast to the first would cut what is too long in
-- silence; assigning the second to it is an error.
WITH RECURSIVE base AS (
    SELECT a.attname, a.atttypid AS oid, t.typtype, t.typbasetype
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %(table)s::regclass AND a.attname = ANY (%(columns)s)
    UNION ALL
    SELECT b.attname, t.oid, t.typtype, t.typbasetype
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT b.attname AS column, format_type(a.atttypid, a.atttypmod) AS declared, format_type(b.oid, -1) AS bare
FROM base b JOIN pg_attribute a ON a.attrelid = %(table)s::regclass AND a.attname = b.attname
WHERE b.typtype <> 'd'

-- name: type_stage
ALTER TABLE {stage} {actions}

-- name: look_up
-- Each text becomes the value of the row that it names, or null where there is none.
-- Rows are joined, not asked for one by one: the other table need have no index.
WITH named AS (
    SELECT DISTINCT ON (l.{by}::text) l.{by}::text AS by, l.{value}::text AS value
    FROM {table} AS l
    WHERE l.{by}::text IN (SELECT {column} FROM {stage})
    ORDER BY l.{by}::text, l.{value}
), found AS (
    UPDATE {stage} AS s SET {column} = named.value
    FROM {stage} AS o LEFT JOIN named ON named.by = o.{column}
    WHERE o.ctid = s.ctid AND o.{column} IS NOT NULL
    RETURNING s.{record} AS record, s.{column} IS NULL AS missing
)
SELECT count(*) AS count, (array_agg(record ORDER BY record))[1:{limit}] AS records FROM found WHERE missing

-- name: leave_out
DELETE FROM {stage} WHERE {column} IS NULL

-- name: has_deterministic_key
-- Whether texts of the key's columns are equal only if their bytes are.
SELECT bool_and(coalesce(c.collisdeterministic, true)) AS deterministic
FROM pg_catalog.pg_attribute AS a LEFT JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation
WHERE a.attrelid = %(table)s::regclass AND a.attname = ANY (%(key)s)

-- name: has_duplicates
-- Most loads have none, and the statement that takes them out is planned as if there were many.
SELECT EXISTS (SELECT FROM {relation} GROUP BY {key} HAVING count(*) > 1) AS found

-- name: drop_duplicates_staged
-- The first of equal keys stays, in the order of sending, which is the order of a fresh heap. A conflict differs from it.
WITH twice AS (
    SELECT {key}, min(ctid) AS first FROM {relation} GROUP BY {key} HAVING count(*) > 1
), gone AS (
    DELETE FROM {relation} AS s USING twice, {relation} AS t
    WHERE {is_twice} AND s.ctid <> twice.first AND t.ctid = twice.first
    RETURNING s.{record} AS record, {conflict} AS conflict
)
SELECT count(*) AS count, count(*) FILTER (WHERE conflict) AS conflicts, (array_agg(record ORDER BY record))[1:{limit}] AS records FROM gone

-- name: fold_duplicates
-- The same where null says nothing: the first gets each value that it lacks from the first of the others that has it, and
-- whatever two of them say otherwise is a conflict. One statement, since a changed row has another place.
WITH twice AS (
    SELECT {key}, min(ctid) AS first FROM {relation} GROUP BY {key} HAVING count(*) > 1
), places AS (
    SELECT min(ctid) AS {record}, {places} FROM {relation} GROUP BY {key} HAVING count(*) > 1
), folded AS (
    UPDATE {relation} AS s SET {values} FROM places AS p WHERE s.ctid = p.{record} AND ({lacking})
), gone AS (
    DELETE FROM {relation} AS s USING twice, {relation} AS t
    WHERE {is_twice} AND s.ctid <> twice.first AND t.ctid = twice.first
    RETURNING s.{record} AS record, {conflict} AS conflict
)
SELECT count(*) AS count, count(*) FILTER (WHERE conflict) AS conflicts, (array_agg(record ORDER BY record))[1:{limit}] AS records FROM gone

-- name: needed_defaults
-- Defaults of the columns that may not be null.
SELECT a.attname::text AS column, pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(table)s::regclass AND a.attname = ANY (%(columns)s) AND a.attnotnull AND a.attgenerated = ''

-- name: drop_duplicates_direct
-- The same in the target itself. All statements of one query see the rows as they were before it, so a row's number counts the removed ones too.
WITH numbered AS MATERIALIZED (
    SELECT ctid AS place, row_number() OVER (ORDER BY ctid) AS position FROM {relation}
), twice AS (
    SELECT {key}, min(ctid) AS first FROM {relation} GROUP BY {key} HAVING count(*) > 1
), gone AS (
    DELETE FROM {relation} AS s USING twice, {relation} AS t
    WHERE {is_twice} AND s.ctid <> twice.first AND t.ctid = twice.first
    RETURNING s.ctid AS place, {conflict} AS conflict
)
SELECT count(*) AS count, count(*) FILTER (WHERE conflict) AS conflicts, array_agg(position ORDER BY position) AS positions
FROM gone JOIN numbered USING (place)

-- name: make_changes
-- Where the staged rows stand that the table lacks or has otherwise. Comparing all of them is the dear part: it is done once.
CREATE TEMPORARY TABLE {changes} ON COMMIT DROP AS
SELECT s.ctid AS place, t.tableoid IS NULL AS missing
FROM {stage} AS s LEFT JOIN {table} AS t ON {match}
WHERE t.tableoid IS NULL OR {differs}

-- name: has_own_rows
-- Rows of tables that inherit from it have places of their own, and keys that nothing keeps apart.
SELECT EXISTS (SELECT FROM {table}) AND NOT c.relhassubclass AS found FROM pg_catalog.pg_class AS c WHERE c.oid = {relation}::regclass

-- name: make_noted
-- Where staged rows stand that differ from the row found for them, or for which none was found where it should lie.
CREATE TEMPORARY TABLE {noted} (place tid, found boolean) ON COMMIT DROP

-- name: count_pages
SELECT pg_catalog.pg_relation_size({relation}::regclass) / pg_catalog.current_setting('block_size')::bigint AS pages

-- name: find_places
SELECT t.ctid AS place FROM {stage} AS s JOIN {table} AS t ON {match} WHERE s.ctid = ANY ({places}::tid[])

-- name: compare_near
-- A stretch of the table against the rows of staging from a page on that come after a record.
WITH near AS MATERIALIZED (
    SELECT s.ctid AS place, t.tableoid IS NOT NULL AS found, {differs} AS different
    FROM {stage} AS s LEFT JOIN {table} AS t ON {match} AND t.ctid >= {low} AND t.ctid < {high}
    WHERE s.ctid >= {begin} AND {record} > {last}
), noted AS (
    INSERT INTO {noted} SELECT place, found FROM near WHERE different OR NOT found
)
SELECT count(*) AS seen, count(*) FILTER (WHERE NOT found) AS unknown, max(place) AS last FROM near

-- name: make_changes_of_noted
-- The same as make_changes, where most rows were compared before.
CREATE TEMPORARY TABLE {changes} ON COMMIT DROP AS
SELECT place, false AS missing FROM {noted} WHERE found
UNION ALL
SELECT s.ctid, t.tableoid IS NULL
FROM {noted} AS n JOIN {stage} AS s ON s.ctid = n.place LEFT JOIN {table} AS t ON {match}
WHERE NOT n.found AND (t.tableoid IS NULL OR {differs})

-- name: count_changes
SELECT count(*) FILTER (WHERE missing) AS missing, count(*) FILTER (WHERE NOT missing) AS different FROM {changes}

-- name: changed_rows
-- Each row fetched by its place: as a join, the planner would read all of the staging table.
SELECT s.* FROM {changes} AS c CROSS JOIN LATERAL (SELECT * FROM {stage} AS s WHERE s.ctid = c.place OFFSET 0) AS s

-- name: insert_all
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {stage} AS s

-- name: insert_shared
INSERT INTO {table} ({columns}, {tenant}) OVERRIDING SYSTEM VALUE SELECT {values}, (SELECT tenancy.tenant_uid()) FROM {stage} AS s{order}

-- name: spare_memory
-- What a sort may take, as far as a server can well spare it; before is what it was.
SELECT pg_catalog.current_setting('work_mem') AS before, pg_catalog.set_config('work_mem', '64MB', true)

-- name: set_memory
SELECT pg_catalog.set_config('work_mem', %(memory)s, true)

-- name: merge
MERGE INTO {table} AS t USING {source} AS s ON {match}
WHEN MATCHED AND {differs} THEN UPDATE SET {assignments}
WHEN NOT MATCHED THEN INSERT ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})

-- name: merge_missing
MERGE INTO {table} AS t USING {source} AS s ON {match}
WHEN NOT MATCHED THEN INSERT ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})

-- name: set_immediate
SET CONSTRAINTS {constraints} IMMEDIATE

-- name: set_deferred
SET CONSTRAINTS {constraints} DEFERRED

-- name: can_go_direct
-- False for what COPY into a bare heap would treat differently, and for what could not be put back as it was.
SELECT NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid OR inhparent = c.oid)
    AND c.relkind = 'r' AND (%(shared)s OR NOT c.relrowsecurity) AND NOT c.relhasrules
    AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND (contype = 'x' OR (contype = 'f' AND NOT convalidated)))
    AND NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = c.oid AND (NOT i.indisvalid OR i.indisexclusion
            OR EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = i.indexrelid AND deptype IN ('e', 'x')))
    ) AS possible
FROM pg_class c
WHERE c.oid = %(table)s::regclass

-- name: removable_indexes
-- Everything that PostgreSQL knows of a table's indexes and that a new one would lack. Unique ones first: they may find duplicates.
SELECT n.nspname AS schema, c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisunique AS unique, i.indisprimary AS primary,
    o.conname AS constraint, coalesce(o.condeferrable, false) AS deferrable, coalesce(o.condeferred, false) AS deferred,
    obj_description(i.indexrelid, 'pg_class') AS comment, obj_description(o.oid, 'pg_constraint') AS constraint_comment,
    i.indisclustered AS clustered, i.indisreplident AS replica_identity, coalesce(s.spcname, '') AS tablespace,
    i.indpred IS NOT NULL OR 0 = ANY (i.indkey) AS special,
    i.indnullsnotdistinct AS nulls_equal, pg_get_expr(i.indpred, i.indrelid) AS predicate,
    (SELECT array_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM generate_series(1, i.indnkeyatts) AS k) AS expressions,
    coalesce((SELECT array_agg(a.attname::text ORDER BY k.position)
     FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, position)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
     WHERE k.position <= i.indnkeyatts AND 0 <> ALL (i.indkey)),
    (SELECT array_agg(a.attname::text ORDER BY a.attnum)
     FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0),
    ARRAY[]::text[]) AS columns,
    coalesce((SELECT jsonb_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0), jsonb_build_object()) AS statistics
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_constraint o ON o.conindid = i.indexrelid AND o.contype IN ('p', 'u') AND o.conrelid = i.indrelid
WHERE i.indrelid = %(table)s::regclass
ORDER BY i.indisprimary DESC, i.indisunique DESC, c.relname

-- name: removable_references
-- Foreign keys of the table and those that point to it: an empty table that is referred to cannot be truncated.
SELECT o.conname AS name, n.nspname AS schema, r.relname AS table, pg_get_constraintdef(o.oid) AS definition, obj_description(o.oid, 'pg_constraint') AS comment
FROM pg_constraint o
JOIN pg_class r ON r.oid = o.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE o.contype = 'f' AND o.conparentid = 0 AND (o.conrelid = %(table)s::regclass OR o.confrelid = %(table)s::regclass)
ORDER BY o.conrelid, o.conname

-- name: defer_reference
ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED

-- name: stop_deferring
ALTER TABLE {table} ALTER CONSTRAINT {name} NOT DEFERRABLE

-- name: drop_constraint
ALTER TABLE {table} DROP CONSTRAINT {name}

-- name: drop_index
DROP INDEX {index}

-- name: truncate
-- A table emptied in this transaction may be filled with rows that are frozen at once.
TRUNCATE {table}

-- name: set_tablespace
SELECT set_config('default_tablespace', %(tablespace)s, true)

-- name: tablespace
SELECT current_setting('default_tablespace') AS tablespace

-- name: add_constraint
ALTER TABLE {table} ADD CONSTRAINT {name} {definition}

-- name: cluster_on
ALTER TABLE {table} CLUSTER ON {index}

-- name: replica_identity
ALTER TABLE {table} REPLICA IDENTITY USING INDEX {index}

-- name: index_statistics
ALTER INDEX {index} ALTER COLUMN {number} SET STATISTICS {target}

-- name: comment_on_index
COMMENT ON INDEX {index} IS {text}

-- name: comment_on_constraint
COMMENT ON CONSTRAINT {name} ON {table} IS {text}

-- name: unique_parts
-- What an index compares, as expressions over the table's columns; `columns` of an index on expressions are those that it depends on.
SELECT i.indnullsnotdistinct AS nulls_equal, pg_get_expr(i.indpred, i.indrelid) AS predicate,
    (SELECT array_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM generate_series(1, i.indnkeyatts) AS k) AS expressions,
    coalesce((SELECT array_agg(a.attname::text ORDER BY k.position)
     FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, position)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
     WHERE k.position <= i.indnkeyatts AND 0 <> ALL (i.indkey)),
    (SELECT array_agg(a.attname::text ORDER BY a.attnum)
     FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0),
    ARRAY[]::text[]) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(name)s AND n.nspname = %(schema)s

-- name: check_expression
SELECT pg_get_expr(conbin, conrelid) AS expression FROM pg_constraint WHERE conrelid = %(table)s::regclass AND conname = %(name)s AND contype = 'c'

-- name: unique_violations
SELECT count(*) AS count, (array_agg(record ORDER BY record))[1:{limit}] AS records
FROM (
    SELECT {record} AS record, row_number() OVER (PARTITION BY {expressions} ORDER BY {record} NULLS FIRST) AS repetition
    FROM {rows} AS r WHERE {indexed}
) AS found
WHERE repetition > 1 AND record IS NOT NULL

-- name: generated_columns
SELECT a.attname::text AS column, pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(table)s::regclass AND a.attgenerated <> ''

-- name: check_violations
SELECT count(*) AS count, (array_agg({record} ORDER BY {record}))[1:{limit}] AS records FROM {rows} AS r WHERE NOT ({expression})

-- name: reference_violations
SELECT count(*) AS count, (array_agg({record} ORDER BY {record}))[1:{limit}] AS records
FROM {rows} AS r
WHERE {all_given} AND NOT EXISTS (SELECT FROM {target} AS p WHERE {matches_target}) AND NOT EXISTS (SELECT FROM {others} AS p WHERE {matches_target})

-- name: numbered_rows
(SELECT row_number() OVER (ORDER BY ctid) AS {record}, * FROM {table})

-- name: rows_after
-- The table as it would be: staged rows, with what an existing row keeps, and the rows that they do not replace.
(SELECT {staged}, {kept}, s.{record} FROM {stage} AS s LEFT JOIN {table} AS t ON {match}
 UNION ALL SELECT {columns}, {kept}, NULL FROM {table} AS t WHERE NOT EXISTS (SELECT FROM {stage} AS s WHERE {match}))

-- name: invalid_texts
-- PostgreSQL 16 and later can say that a text is not of a type without failing.
SELECT count(*) AS count, (array_agg({record} ORDER BY {record}))[1:{limit}] AS records
FROM {stage} WHERE NOT pg_input_is_valid({column}::text, {type})

-- name: record_bounds
SELECT min({record}) AS first, max({record}) AS last FROM {stage}

-- name: index_records
CREATE INDEX ON {stage} ({record})

-- name: make_probe
CREATE TEMPORARY TABLE {probe} ON COMMIT DROP AS SELECT {column} FROM {table} WITH NO DATA

-- name: probe_cast
INSERT INTO {probe} SELECT CAST({column} AS {bare}) FROM {stage} WHERE {record} BETWEEN {first} AND {last}

-- name: delete_staged
DELETE FROM {table} AS t USING {stage} AS s WHERE {match}

-- name: default_partition
SELECT n.nspname AS schema, c.relname AS name
FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partdefid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.partrelid = %(table)s::regclass

-- name: needed_months
-- Months of staged rows into which no partition reaches. Their bounds come back as text with its offset, to be written as they are.
WITH bound AS (
    SELECT CASE b.part[1] WHEN 'MINVALUE' THEN '-infinity' ELSE btrim(b.part[1], '''') END::{type} AS low,
           CASE b.part[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE btrim(b.part[2], '''') END::{type} AS high
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS b (part)
    WHERE i.inhparent = {parent}::regclass AND b.part IS NOT NULL
), month AS (
    SELECT DISTINCT date_trunc('month', {moment}) AS first FROM {relation} AS r
), span AS (
    SELECT first, (first {zone})::{type} AS low, ((first + interval '1 month') {zone})::{type} AS high
    FROM month
    WHERE first BETWEEN date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(years => {back})
                    AND date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(years => {ahead})
)
SELECT to_char(s.first, 'YYYY_MM') AS label, s.low::text AS low, s.high::text AS high
FROM span s WHERE NOT EXISTS (SELECT FROM bound b WHERE b.low < s.high AND s.low < b.high)
ORDER BY s.first

-- name: without_partition
WITH bound AS (
    SELECT CASE b.part[1] WHEN 'MINVALUE' THEN '-infinity' ELSE btrim(b.part[1], '''') END::{type} AS low,
           CASE b.part[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE btrim(b.part[2], '''') END::{type} AS high,
           b.part[2] = 'MAXVALUE' AS open
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS b (part)
    WHERE i.inhparent = {parent}::regclass AND b.part IS NOT NULL
)
SELECT count(*) AS count, (array_agg(r.{record} ORDER BY r.{record}))[1:{limit}] AS records
FROM {relation} AS r WHERE NOT EXISTS (SELECT FROM bound b WHERE r.{column} >= b.low AND (r.{column} < b.high OR b.open))

-- name: make_partition
CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)

-- name: lock_at_once
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT

-- name: alone
-- Whether one tenant alone is in a shared schema. Who wants to join it waits for the end of this transaction.
SELECT (SELECT count(*) = 1 FROM tenancy.tenants AS t WHERE t.namespace = s.namespace) AS found
FROM tenancy.shared_schemas AS s WHERE s.namespace = %(namespace)s
FOR UPDATE NOWAIT

-- name: lock_partitions
LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE

-- name: open_partition
-- For a moment its owner is let through, and nobody else. The lock stays until the transaction, or the savepoint, has ended.
ALTER TABLE {partition} NO FORCE ROW LEVEL SECURITY

-- name: close_partition
ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY

-- name: move_to_partition
-- What was written while there was no partition for it.
WITH moved AS (DELETE FROM {other} WHERE {column} >= {low} AND {column} < {high} RETURNING {columns})
INSERT INTO {partition} ({columns}) SELECT {columns} FROM moved

-- name: attach_partition
-- Readers of the table go on; those that ask the default partition wait for the end of the load.
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({low}) TO ({high})
