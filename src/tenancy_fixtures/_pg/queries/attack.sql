-- What `tenancy doctor --attack` sends: how its two throw-away tenants are filled and looked at, and the statements of its
-- probes. Those of probes go through the application's own login. {own} is the attacker's schema, {victim} its neighbour's; names
-- without a schema are what the application writes, and found along the transaction's search path.

-- name: speak_for
-- Whose rows are meant where tenants share tables.
SELECT pg_catalog.set_config('tenancy.tenant_uid', %(uid)s, true)

-- name: empty
-- Not by TRUNCATE: where tenants share a table, it would empty it for all of them.
DELETE FROM {schema}.notes;
DELETE FROM {schema}.items;
DELETE FROM {schema}.events

-- name: shared_schema
-- The schema that a pack's tenants share, and how many of them there are.
SELECT s.namespace::text AS namespace, s.uid, (SELECT pg_catalog.count(*) FROM tenancy.tenants AS t WHERE t.namespace = s.namespace AND t.isolation = 'row') AS tenants
FROM tenancy.shared_schemas AS s WHERE s.pack = %(pack)s

-- name: forget_shared_schema
DELETE FROM tenancy.shared_schemas WHERE uid = %(uid)s

-- name: definer
-- A pack's script may make none: an administrator does.
CREATE OR REPLACE FUNCTION {schema}.item_secrets_of_owner() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC SELECT secret FROM {schema}.items; END

-- name: restart
SELECT pg_catalog.setval(%(sequence)s::regclass, 100)

-- name: fill_items
INSERT INTO {schema}.items (item_id, code, secret)
SELECT i.key, %(code)s || CASE i.place WHEN 1 THEN '' ELSE '-' || i.place END, %(secret)s || '-item-' || i.place
FROM pg_catalog.unnest(%(keys)s::bigint[]) WITH ORDINALITY AS i (key, place)

-- name: fill_notes
-- Their own keys are out of the way of those that a probe's rows get.
INSERT INTO {schema}.notes (note_id, item_id, secret) SELECT 1000000 + item_id, item_id, %(secret)s || '-note' FROM {schema}.items

-- name: fill_events
INSERT INTO {schema}.events (happened_on, secret) VALUES ('2026-01-01', %(secret)s || '-event')

-- name: refresh
REFRESH MATERIALIZED VIEW {schema}.item_copy

-- name: analyze
ANALYZE {schema}.items

-- name: state
-- All that a tenant's rows and its sequence are: another text after a probe means that they were changed.
SELECT pg_catalog.concat_ws('|',
    (SELECT pg_catalog.string_agg(i::text, ',' ORDER BY i.item_id) FROM {schema}.items AS i),
    (SELECT pg_catalog.string_agg(n::text, ',' ORDER BY n.note_id) FROM {schema}.notes AS n),
    (SELECT pg_catalog.string_agg(e::text, ',' ORDER BY e::text) FROM {schema}.events AS e),
    (SELECT pg_catalog.concat(s.last_value, s.is_called) FROM {schema}.numbers AS s)) AS state

-- The application's own statements.

-- name: read_own
SELECT secret FROM items

-- name: read_own_view
SELECT secret FROM item_list

-- name: read_own_copy
SELECT secret FROM item_copy

-- name: read_own_events
SELECT secret FROM events

-- name: call_own_invoker
SELECT s FROM item_secrets() AS s

-- name: call_own_definer
SELECT s FROM item_secrets_of_owner() AS s

-- name: read_by_value
SELECT secret FROM items WHERE code = %(value)s

-- name: write_by_value
UPDATE items SET code = %(value)s WHERE item_id = %(key)s

-- name: refer
INSERT INTO notes (item_id, secret) VALUES (%(key)s, 'attacker')

-- name: insert_code
INSERT INTO items (item_id, code, secret) VALUES (7007, %(code)s, 'attacker')

-- name: delete_own
DELETE FROM items WHERE item_id = 1

-- name: fail_own_cast
SELECT secret::integer FROM items

-- name: fail_own_row
UPDATE items SET code = ''

-- Ordinary statements with qualified names.

-- name: read
SELECT secret FROM {victim}.items

-- name: read_joined
SELECT v.secret FROM items AS i JOIN {victim}.items AS v USING (item_id)

-- name: insert
INSERT INTO {victim}.items (item_id, code, secret) VALUES (6006, 'attacker', 'attacker')

-- name: insert_as_victim
INSERT INTO items (tenant_id, item_id, code, secret) VALUES (CAST(%(victim_uid)s AS uuid), 6006, 'attacker', 'attacker')

-- name: give_to_victim
UPDATE items SET tenant_id = CAST(%(victim_uid)s AS uuid) WHERE item_id = 1001

-- name: refer_as_victim
INSERT INTO notes (tenant_id, item_id, secret) VALUES (CAST(%(victim_uid)s AS uuid), %(key)s, 'attacker')

-- name: read_victims
SELECT secret FROM items WHERE tenant_id = CAST(%(victim_uid)s AS uuid)

-- name: insert_from
INSERT INTO notes (item_id, secret) SELECT 1, v.secret FROM {victim}.items AS v

-- name: read_own_notes
SELECT secret FROM notes

-- name: update
UPDATE {victim}.items SET code = code || '-attacked'

-- name: delete
DELETE FROM {victim}.items WHERE item_id = 1

-- name: merge
MERGE INTO {victim}.items AS v USING (VALUES (1::bigint)) AS s (item_id) ON v.item_id = s.item_id WHEN MATCHED THEN UPDATE SET code = 'merged'

-- name: merge_from
MERGE INTO notes AS n USING {victim}.items AS v ON n.note_id = v.item_id
WHEN MATCHED THEN UPDATE SET secret = v.secret
WHEN NOT MATCHED THEN INSERT (item_id, secret) VALUES (1, v.secret)

-- name: copy_out
COPY {victim}.items (secret) TO STDOUT

-- name: copy_query_out
COPY (SELECT secret FROM {victim}.items) TO STDOUT

-- name: copy_in
COPY {victim}.notes (item_id, secret) FROM STDIN

-- name: read_view
SELECT secret FROM {victim}.item_list

-- name: write_view
UPDATE {victim}.item_list SET code = code || '-viewed'

-- name: read_copy
SELECT secret FROM {victim}.item_copy

-- name: call_invoker
SELECT s FROM {victim}.item_secrets() AS s

-- name: call_definer
SELECT s FROM {victim}.item_secrets_of_owner() AS s

-- name: read_events
SELECT secret FROM {victim}.events

-- name: read_partition
SELECT secret FROM {victim}.events_now

-- name: write_partition
INSERT INTO {victim}.events_now (happened_on, secret) VALUES ('2026-02-02', 'attacker')

-- name: fail_cast
SELECT secret::integer FROM {victim}.items WHERE item_id = %(victim_key)s

-- name: fail_row
UPDATE {victim}.items SET code = '' WHERE item_id = %(victim_key)s

-- What a user of the connection leaves in it, and what the next one finds.

-- name: prepare
PREPARE left_behind AS SELECT secret FROM items

-- name: prepare_qualified
PREPARE left_behind AS SELECT secret FROM {victim}.items

-- name: execute
EXECUTE left_behind

-- name: make_draft
CREATE TEMPORARY TABLE drafts AS SELECT secret FROM items

-- name: read_draft
SELECT secret FROM drafts

-- name: shadow_table
CREATE TEMPORARY TABLE items AS SELECT item_id, code, secret FROM items

-- name: shadow_view
CREATE TEMPORARY VIEW item_list AS SELECT item_id, code, secret FROM items

-- name: leave_path
SELECT pg_catalog.set_config('search_path', %(own)s, false)

-- name: leave_path_to_temporary
SELECT pg_catalog.set_config('search_path', 'pg_temp', false)

-- name: leave_tenant
SELECT pg_catalog.set_config('tenancy.tenant_id', %(own_id)s, false), pg_catalog.set_config('tenancy.tenant_uid', %(own_uid)s, false)

-- name: hold
DECLARE left_open CURSOR WITH HOLD FOR SELECT secret FROM items

-- name: fetch
FETCH ALL FROM left_open

-- name: leave_setting
SELECT pg_catalog.set_config('application.secret', (SELECT secret FROM items LIMIT 1), false)

-- name: read_setting
SELECT pg_catalog.current_setting('application.secret', true)

-- name: say
SELECT {secret}

-- name: make_large_object
SELECT pg_catalog.lo_from_bytea(CAST(%(large_object)s AS oid), pg_catalog.convert_to((SELECT secret FROM items LIMIT 1), 'UTF8'))

-- name: read_large_object
SELECT pg_catalog.convert_from(pg_catalog.lo_get(CAST(%(large_object)s AS oid)), 'UTF8')

-- name: remove_large_object
SELECT pg_catalog.lo_unlink(o.oid) FROM pg_catalog.pg_largeobject_metadata AS o WHERE o.oid = CAST(%(large_object)s AS oid)

-- Any SQL at all.

-- name: set_role
SET ROLE {role}

-- name: set_local_role
SET LOCAL ROLE {role}

-- name: config_role
SELECT pg_catalog.set_config('role', %(role)s, true)

-- name: reset_role
RESET ROLE

-- name: set_authorization
SET LOCAL SESSION AUTHORIZATION {role}

-- name: config_tenant_id
SELECT pg_catalog.set_config('tenancy.tenant_id', %(victim_id)s, true)

-- name: config_tenant_uid
SELECT pg_catalog.set_config('tenancy.tenant_uid', %(victim_uid)s, true)

-- name: config_path
SELECT pg_catalog.set_config('search_path', %(victim)s, true)

-- name: security_off
SET LOCAL row_security = off

-- name: lock
LOCK TABLE {victim}.items IN ACCESS SHARE MODE

-- name: truncate
TRUNCATE {victim}.notes

-- name: next_number
SELECT pg_catalog.nextval(CAST(pg_catalog.quote_ident(%(victim)s) || '.numbers' AS regclass))

-- name: set_number
SELECT pg_catalog.setval(CAST(pg_catalog.quote_ident(%(victim)s) || '.numbers' AS regclass), 4004)

-- name: read_number
SELECT last_value FROM {victim}.numbers

-- name: schemas
SELECT n.nspname::text FROM pg_catalog.pg_namespace AS n

-- name: databases
SELECT d.datname::text FROM pg_catalog.pg_database AS d

-- name: activity
SELECT a.query FROM pg_catalog.pg_stat_activity AS a

-- name: statistics
SELECT s.most_common_vals::text, s.histogram_bounds::text FROM pg_catalog.pg_stats AS s WHERE s.schemaname = %(victim)s

-- name: tenants
SELECT t.tenant_id::text FROM tenancy.tenants AS t

-- name: config
SELECT c.value::text FROM tenancy.config AS c

-- name: hold_operations
-- The lock that operations on a tenant wait for.
INSERT INTO tenancy.locks AS l (name) VALUES (%(victim_id)s) ON CONFLICT (name) DO UPDATE SET name = excluded.name WHERE false

-- name: create_function
CREATE FUNCTION {victim}.attacker() RETURNS integer LANGUAGE sql AS 'SELECT 1'

-- name: create_view
CREATE VIEW {victim}.attacker AS SELECT 1 AS one

-- name: create_trigger
CREATE TRIGGER attacker BEFORE UPDATE ON {victim}.items FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()

-- name: create_reference
CREATE TABLE {own}.attacker (item_id bigint REFERENCES {victim}.items)

-- name: alter_table
ALTER TABLE {victim}.items ADD COLUMN attacker integer

-- name: drop_table
DROP TABLE {victim}.items CASCADE
