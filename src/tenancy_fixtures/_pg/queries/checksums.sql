-- What a table held when it was recorded, and what of that is other now. A row is known by two digests of 64 bits: one of its
-- key, one of all its columns. Rows are spread over buckets by the first, and only buckets whose sums differ are opened.
-- PostgreSQL's hash of a record is a sum over its fields: rows that swap values would leave a sum of such hashes as it was, so their
-- bits are mixed before they are added up. OFFSET 0 has each digest worked out once, and not wherever it is used.

-- name: plain_text
-- What a value is as text must be the same whenever it is asked for. DateStyle and its like are set with every transaction.
SELECT pg_catalog.set_config('extra_float_digits', '1', true), pg_catalog.set_config('bytea_output', 'hex', true),
    pg_catalog.set_config('lc_monetary', 'C', true), pg_catalog.set_config('xmlbinary', 'base64', true)

-- name: count_up_to
SELECT count(*) AS rows FROM (SELECT FROM {table} LIMIT {limit}) AS counted

-- name: recorded
SELECT target, columns, key, buckets, rows, recorded_at FROM tenancy.checksums WHERE uid = %(uid)s ORDER BY target

-- name: forget
DELETE FROM tenancy.checksums WHERE uid = %(uid)s AND target = %(target)s

-- name: enter
INSERT INTO tenancy.checksums (uid, target, columns, key, buckets, rows, run_id)
VALUES (%(uid)s, %(target)s, %(columns)s, %(key)s, %(buckets)s, %(rows)s, %(run_id)s)

-- name: record
INSERT INTO tenancy.row_digests (uid, target, bucket, rows, checksum, keys, contents)
SELECT {uid}, {target}, (d.key & {mask})::integer, count(*), sum(d.content # (d.content >> 29) # (d.content << 17)), array_agg(d.key), array_agg(d.content)
FROM (SELECT {key} AS key, {content} AS content FROM {table} AS r OFFSET 0) AS d
GROUP BY 3

-- name: differing_buckets
SELECT coalesce(n.bucket, b.bucket) AS bucket
FROM (
    SELECT (d.key & {mask})::integer AS bucket, count(*) AS rows, sum(d.content # (d.content >> 29) # (d.content << 17)) AS checksum
    FROM (SELECT {key} AS key, {content} AS content FROM {table} AS r OFFSET 0) AS d
    GROUP BY 1
) AS n
FULL JOIN (SELECT bucket, rows, checksum FROM tenancy.row_digests WHERE uid = {uid} AND target = {target}) AS b ON b.bucket = n.bucket
WHERE n.rows IS DISTINCT FROM b.rows OR n.checksum IS DISTINCT FROM b.checksum
ORDER BY 1

-- name: changes
-- The rows that went, changed or came, of these buckets. A missing row is known by the digest of its key alone.
WITH now AS (
    SELECT d.key, d.content, d.name
    FROM (SELECT {key} AS key, {content} AS content, {name} AS name FROM {table} AS r OFFSET 0) AS d
    WHERE (d.key & {mask})::integer = ANY ({buckets})
), before AS (
    SELECT k.key, k.content
    FROM tenancy.row_digests AS d CROSS JOIN LATERAL unnest(d.keys, d.contents) AS k (key, content)
    WHERE d.uid = {uid} AND d.target = {target} AND d.bucket = ANY ({buckets})
)
SELECT coalesce(n.key, b.key) AS key, n.content, n.name,
    CASE WHEN n.key IS NULL THEN 'missing' WHEN b.key IS NULL THEN 'added' ELSE 'edited' END AS change
FROM now AS n FULL JOIN before AS b ON b.key = n.key
WHERE n.key IS NULL OR b.key IS NULL OR n.content <> b.content

-- name: owners
-- Whose rows these are: tenants that had the same row, to the last column, in a table of the same name.
SELECT t.tenant_id, count(DISTINCT g.key) AS rows
FROM unnest(%(keys)s::bigint[], %(contents)s::bigint[]) AS g (key, content)
JOIN tenancy.checksums AS c ON c.target = %(target)s AND c.uid <> %(uid)s
JOIN tenancy.row_digests AS d ON d.uid = c.uid AND d.target = c.target AND d.bucket = (g.key & (c.buckets - 1))::integer
CROSS JOIN LATERAL unnest(d.keys, d.contents) AS k (key, content)
JOIN tenancy.tenants AS t ON t.uid = c.uid
WHERE k.key = g.key AND k.content = g.content
GROUP BY t.tenant_id
ORDER BY t.tenant_id

-- name: settle
-- The record takes these rows as they are now: those of a repair. All others keep what was recorded of them. Nobody knows how many rows
-- that are: a full join reads either side once, whatever the planner takes them for.
WITH settled AS MATERIALIZED (
    SELECT DISTINCT d.key, d.content FROM (SELECT {key} AS key, {content} AS content FROM {table} AS r OFFSET 0) AS d WHERE d.key = ANY ({keys})
), taken AS MATERIALIZED (
    SELECT k.bucket, k.key, coalesce(s.content, k.content) AS content
    FROM (
        SELECT d.bucket, u.key, u.content
        FROM tenancy.row_digests AS d CROSS JOIN LATERAL unnest(d.keys, d.contents) AS u (key, content)
        WHERE d.uid = {uid} AND d.target = {target} AND d.bucket = ANY ({buckets})
    ) AS k
    FULL JOIN settled AS s ON s.key = k.key
), changed AS MATERIALIZED (
    SELECT t.bucket, sum(t.content # (t.content >> 29) # (t.content << 17)) AS checksum, array_agg(t.key) AS keys, array_agg(t.content) AS contents
    FROM taken AS t
    WHERE t.bucket IS NOT NULL
    GROUP BY t.bucket
)
UPDATE tenancy.row_digests AS d
SET checksum = c.checksum, keys = c.keys, contents = c.contents
FROM changed AS c
WHERE d.uid = {uid} AND d.target = {target} AND d.bucket = c.bucket

-- name: insert_missing
-- A row whose place another one has taken stays missing.
INSERT INTO {table} AS t ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns} FROM {scratch} AS r WHERE {digest} = ANY ({keys}) AND NOT EXISTS (SELECT FROM {table} AS t WHERE {same})
ON CONFLICT DO NOTHING

-- name: write_edited
UPDATE {table} AS t SET {changed} FROM {scratch} AS r WHERE {same} AND {digest} = ANY ({keys}) AND ({differs})

-- name: like
-- A table of the same columns, defaults and keys, without references and triggers.
CREATE TABLE {scratch} (LIKE {table} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY INCLUDING INDEXES INCLUDING CONSTRAINTS)

-- name: lost_keys
-- Rows that a dataset with "sync" has put there, and that are gone.
SELECT count(*) AS rows
FROM tenancy.loaded_keys AS o
WHERE o.uid = {uid} AND o.dataset = {dataset} AND o.target = {target} AND NOT EXISTS (SELECT FROM {table} AS r WHERE {digest} = o.key)
