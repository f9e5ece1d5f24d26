-- What Alembic wrote down of a schema, and what a revision on a connection is looked at with.

-- name: make_table
-- As Alembic makes it.
CREATE TABLE IF NOT EXISTS {table} (version_num varchar(32) NOT NULL, CONSTRAINT {key} PRIMARY KEY (version_num))

-- name: has_table
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(namespace)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')) AS found

-- name: said
SELECT version_num::text AS version FROM {table} ORDER BY 1

-- name: hold
-- Alembic itself, at work at the same time, waits here, and finds then that it is no longer where it was.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE

-- name: forget
DELETE FROM {table} WHERE version_num <> ALL (%(versions)s::text[])

-- name: add
INSERT INTO {table} (version_num)
SELECT v FROM pg_catalog.unnest(%(versions)s::text[]) AS v
WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.version_num = v)

-- name: transaction_number
SELECT pg_catalog.pg_current_xact_id() AS number

-- name: do_what_waits
-- Deferred work would else be done at COMMIT, when nobody looks.
SET CONSTRAINTS ALL IMMEDIATE
