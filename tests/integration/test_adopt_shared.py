"""Tables that tenants share, made by others: what is there is said as it is, each thing that is missing by name, and the advice mends it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._adopt import MISSING, SharedReport
from tenancy_fixtures._pg.bootstrap import with_parts
from tests.conftest import PASSWORD

# {s} is the schema, {app} the application's role, {owner} the owner's.
GOOD = """
CREATE SCHEMA {s} AUTHORIZATION {owner};
SET ROLE {owner};
SET search_path = {s};
CREATE TABLE tenants (id uuid PRIMARY KEY, name text UNIQUE NOT NULL);
CREATE TABLE countries (code text PRIMARY KEY);
CREATE TABLE customers (id integer PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, email text, country text REFERENCES countries,
    UNIQUE (tenant_id, id), UNIQUE (tenant_id, email));
CREATE TABLE orders (tenant_id uuid NOT NULL REFERENCES tenants, id integer, customer_id integer, at date NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (tenant_id, id, at),
    CONSTRAINT orders_customer FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)) PARTITION BY RANGE (at);
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE notes (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id), body text);
CREATE VIEW open_orders WITH (security_invoker) AS SELECT * FROM orders;
CREATE FUNCTION greet() RETURNS text LANGUAGE sql AS 'SELECT ''hello''';
ALTER TABLE customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON customers USING (tenant_id = current_setting('shop.tenant', true)::uuid);
CREATE POLICY own ON orders USING (tenant_id::text = (SELECT current_setting('shop.tenant', true)))
    WITH CHECK (current_setting('shop.tenant', true) = tenant_id::text);
CREATE POLICY own ON notes USING (EXISTS (SELECT FROM customers c WHERE c.id = customer_id));
GRANT USAGE ON SCHEMA {s} TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders, notes, open_orders TO {app};
GRANT SELECT ON tenants, countries TO {app};
INSERT INTO tenants VALUES (gen_random_uuid(), 'one'), (gen_random_uuid(), 'two'), (gen_random_uuid(), 'three');
RESET ROLE;
RESET search_path;
"""

# What is done to it, and what is to be said of that: names and objects.
SEEDED: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "another type": (
        "DROP POLICY own ON {s}.bare; ALTER TABLE {s}.bare ALTER tenant_id TYPE text",
        [("column_type", "column {s}.bare.tenant_id"), ("policy_missing", "table {s}.bare")],
    ),
    "no column": (
        "DROP POLICY own ON {s}.notes",
        [
            *(("column_missing", "table {s}.notes"), ("key_lacks", "primary key notes_pkey on {s}.notes")),
            *(("reference_lacks", "reference notes_customer_id_fkey from {s}.notes to {s}.customers"), ("policy_missing", "table {s}.notes")),
        ],
    ),
    "no NOT NULL": ("ALTER TABLE {s}.bare ALTER tenant_id DROP NOT NULL", [("column_nullable", "column {s}.bare.tenant_id")]),
    "a primary key alone": (
        "ALTER TABLE {s}.bare ADD id integer PRIMARY KEY",
        [("key_lacks", "primary key bare_pkey on {s}.bare")],
    ),
    "a unique key": (
        "ALTER TABLE {s}.bare ADD name text CONSTRAINT named UNIQUE",
        [("key_lacks", "unique key named on {s}.bare")],
    ),
    "a unique index": (
        "CREATE UNIQUE INDEX \"Low (x)\" ON {s}.customers (lower(email)) INCLUDE (tenant_id) WHERE email <> 'a(b'",
        [("key_lacks", 'unique index "Low (x)" on {s}.customers')],
    ),
    "a reference": (
        "ALTER TABLE {s}.customers ADD friend integer, ADD CONSTRAINT friends FOREIGN KEY (friend) REFERENCES {s}.customers (id) ON DELETE SET NULL",
        [("reference_lacks", "reference friends from {s}.customers to {s}.customers")],
    ),
    "no index": ("DROP INDEX {s}.bare_by_tenant", [("index_missing", "table {s}.bare")]),
    "an index of a part": (
        "DROP INDEX {s}.bare_by_tenant; CREATE INDEX ON {s}.bare (tenant_id) WHERE body IS NULL",
        [("index_missing", "table {s}.bare")],
    ),
    "security off": ("ALTER TABLE {s}.orders DISABLE ROW LEVEL SECURITY", [("security_off", "table {s}.orders")]),
    "security not forced": ("ALTER TABLE {s}.orders NO FORCE ROW LEVEL SECURITY", [("security_not_forced", "table {s}.orders")]),
    "no policy": ("DROP POLICY own ON {s}.orders", [("policy_missing", "table {s}.orders")]),
    "a policy for all": ("CREATE POLICY staff ON {s}.orders FOR SELECT USING (true)", [("policy_using", "policy staff on {s}.orders")]),
    "a column in a text": (
        "ALTER POLICY own ON {s}.customers USING (current_setting('app.tenant_id = 1', true) <> '')",
        [("policy_using", "policy own on {s}.customers"), ("policy_check", "policy own on {s}.customers")],
    ),
    "a column of another table": (
        "ALTER POLICY own ON {s}.customers USING (EXISTS (SELECT FROM {s}.bare b WHERE b.tenant_id = current_setting('shop.tenant', true)::uuid))",
        [("policy_using", "policy own on {s}.customers"), ("policy_check", "policy own on {s}.customers")],
    ),
    "an open check": ("ALTER POLICY own ON {s}.orders WITH CHECK (at > '2000-01-01')", [("policy_check", "policy own on {s}.orders")]),
    "an insert of anything": ("CREATE POLICY more ON {s}.orders FOR INSERT WITH CHECK (true)", [("policy_check", "policy more on {s}.orders")]),
    "the same for everybody": (
        "ALTER POLICY own ON {s}.customers USING (tenant_id = '00000000-0000-0000-0000-000000000001')",
        [("policy_unbound", "policy own on {s}.customers")],
    ),
    "a way round": (
        "ALTER POLICY own ON {s}.customers USING (tenant_id = current_setting('shop.tenant', true)::uuid OR current_setting('shop.admin', true) = 'on')",
        [("policy_alternative", "policy own on {s}.customers")],
    ),
    "a partition": ("GRANT SELECT ON {s}.orders_2026 TO {app}", [("partition_open", "partition {s}.orders_2026")]),
    "views over views": (
        "CREATE VIEW {s}.a AS SELECT * FROM {s}.open_orders; CREATE VIEW {s}.c AS SELECT * FROM {s}.countries",
        [("view_definer", "view {s}.a")],
    ),
    "a materialised view": (
        "CREATE MATERIALIZED VIEW {s}.sums AS SELECT tenant_id, count(*) FROM {s}.customers GROUP BY 1; GRANT SELECT ON {s}.sums TO {app}",
        [("materialized_view", "materialised view {s}.sums")],
    ),
    "a definer's function": ("ALTER FUNCTION {s}.greet() SECURITY DEFINER", [("definer_function", "routine {s}.greet()")]),
    "BYPASSRLS": ("ALTER ROLE {app} BYPASSRLS", [("role_bypasses", "role {app}")]),
    "a member with BYPASSRLS": ("GRANT {app} TO {owner}; ALTER ROLE {owner} LOGIN BYPASSRLS", [("role_bypasses", "role {owner}")]),
    "a member of the owner": ("GRANT {owner} TO {app}", [("role_acts_as_owner", "role {app}, which may act as {owner}")]),
    "nobody but the owner": (
        "REVOKE ALL ON ALL TABLES IN SCHEMA {s} FROM {app}",
        [("role_is_owner", "role {owner}, the owner")],
    ),
    "TRUNCATE": ("GRANT TRUNCATE ON {s}.customers TO {app}", [("truncate_granted", "table {s}.customers")]),
}
# A table of one column and no key, for what is better seen on that.
BARE = """
CREATE TABLE {s}.bare (tenant_id uuid NOT NULL, body text); CREATE INDEX bare_by_tenant ON {s}.bare (tenant_id);
ALTER TABLE {s}.bare OWNER TO {owner};
ALTER TABLE {s}.bare ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON {s}.bare USING (tenant_id = current_setting('shop.tenant', true)::uuid);
GRANT SELECT ON {s}.bare TO {app};
"""
# Tables that an application keeps apart by itself, under names that want quotes.
NAIVE = """
CREATE SCHEMA "{s}_""P"; SET search_path = "{s}_""P";
CREATE TABLE "Tenants" (id integer PRIMARY KEY);
CREATE TABLE plans (id integer PRIMARY KEY, name text UNIQUE);
CREATE TABLE "Orders" (id integer PRIMARY KEY, "tenantId" integer REFERENCES "Tenants", code text, plan integer REFERENCES plans,
    CONSTRAINT "a (code)" UNIQUE (code));
CREATE TABLE items (id integer PRIMARY KEY, "order" text NOT NULL REFERENCES "Orders" (code) ON DELETE CASCADE);
CREATE TABLE parts (item integer REFERENCES items ON DELETE SET NULL, id integer PRIMARY KEY, whole integer REFERENCES parts DEFERRABLE);
INSERT INTO "Tenants" VALUES (1), (2); INSERT INTO "Orders" VALUES (1, 2, 'x'); INSERT INTO items VALUES (1, 'x'); INSERT INTO parts VALUES (1, 1, 1);
"""


@dataclass(frozen=True)
class Shop:
    url: str
    database: str
    schema: str
    app: str
    owner: str

    def said(self, text: str) -> str:
        return text.replace("{s}", self.schema).replace("{app}", self.app).replace("{owner}", self.owner)

    def run(self, text: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            # One by one where it can be: CREATE INDEX CONCURRENTLY is in no block of several.
            for statement in [self.said(text)] if "'" in text or "BEGIN" in text else self.said(text).split(";"):
                if statement.strip():
                    connection.execute(sql.SQL(statement))  # type: ignore[arg-type]

    async def look(self, *, user: str | None = None, column: str | None = None, schema: str | None = None) -> SharedReport:
        url = with_parts(self.url, database=self.database, user=user, password=PASSWORD) if user else self.url
        manager = FixtureManager(Settings.from_env(database_url=url))
        return await manager.look_at_shared(schema or self.schema, column=column)


@pytest.fixture
def shop(empty_url: str, empty_database: str) -> Iterator[Shop]:
    """In a database without a control plane."""
    mark = secrets.token_hex(6)
    made = Shop(empty_url, empty_database, f"shop_{mark}", f"shop_{mark}_login", f"shop_{mark}_owner")
    made.run(f"CREATE ROLE {{owner}} NOLOGIN; CREATE ROLE {{app}} LOGIN PASSWORD '{PASSWORD}'")
    made.run(GOOD)
    made.run(BARE)
    yield made
    made.run("DROP SCHEMA {s} CASCADE; DROP OWNED BY {app}; DROP ROLE {app}; DROP ROLE {owner}; DROP ROLE IF EXISTS {s}_app")


def told(report: SharedReport) -> list[tuple[str, str]]:
    return [(item.name, item.object) for item in report.missing]


def test_every_thing_that_can_be_missing_is_seeded() -> None:
    assert {name for _, faults in SEEDED.values() for name, _ in faults} == set(MISSING)


@pytest.mark.anyio
async def test_a_schema_that_keeps_tenants_apart_lacks_nothing(shop: Shop) -> None:
    report = await shop.look()
    assert (told(report), report.ok) == ([], True)
    assert (report.column, report.type, report.registry, report.settings) == ("tenant_id", "uuid", f"{shop.schema}.tenants", ("shop.tenant",))
    assert (report.tenants, report.counted) == (3, "exact")
    assert report.counts == {"ready": 4, "lacks": 0, "common": 2}
    tables = {table.name: table for table in report.tables}
    assert tables["tenants"].is_registry
    assert (tables["countries"].verdict.value, tables["countries"].column, tables["countries"].by_way_of) == ("common", None, ())
    orders, notes = tables["orders"], tables["notes"]
    assert (orders.column, orders.filled, orders.indexed, orders.enabled, orders.forced, orders.policies) == (
        "tenant_id",
        True,
        True,
        True,
        True,
        ("own",),
    )
    assert (notes.column, notes.by_way_of, notes.verdict.value) == (None, ("customers",), "ready")


@pytest.mark.anyio
@pytest.mark.parametrize("seed", SEEDED)
async def test_what_is_missing_is_named_and_the_advice_mends_it(shop: Shop, seed: str) -> None:
    statement, expected = SEEDED[seed]
    shop.run(statement)
    report = await shop.look()
    assert told(report) == [(name, shop.said(object_)) for name, object_ in expected]
    assert not report.ok
    assert {table.name for table in report.of("lacks")} == {item.table for item in report.missing if item.table}
    for item in report.missing:
        assert item.why == MISSING[item.name]
        shop.run(item.fix)
    again = await shop.look()
    assert told(again) == []


@pytest.mark.anyio
async def test_a_schema_that_relies_on_where_is_mended_in_turn(shop: Shop) -> None:
    schema = f'{shop.schema}_"P'
    shop.run(NAIVE)
    try:
        report = await shop.look(schema=schema)
        verdicts = {table.name: table.verdict.value for table in report.tables}
        assert verdicts == {"Tenants": "common", "Orders": "lacks", "items": "lacks", "parts": "lacks", "plans": "common"}
        assert next(table for table in report.tables if table.name == "parts").by_way_of == ("items", "Orders")
        lacking = {item.name for item in report.missing if item.table == "parts"}
        assert lacking == {"column_missing", "key_lacks", "reference_lacks", "security_off", "security_not_forced", "policy_missing"}
        for _ in range(3):
            for item in (await shop.look(schema=schema)).missing:
                shop.run(item.fix)
        assert told(await shop.look(schema=schema)) == []
        with psycopg.connect(shop.url) as connection:
            rows = connection.execute(sql.SQL('SELECT "tenantId" FROM {}').format(sql.Identifier(schema, "parts"))).fetchall()
        assert rows == [(2,)]
    finally:
        shop.run('DROP SCHEMA "{s}_""P" CASCADE; DROP ROLE IF EXISTS "{s}_""P_app"')


@pytest.mark.anyio
async def test_what_a_row_refers_to_may_go_and_the_row_stays_the_tenants(shop: Shop) -> None:
    shop.run(SEEDED["a reference"][0])
    for item in (await shop.look()).missing:
        shop.run(item.fix)
    shop.run(
        "INSERT INTO {s}.customers (tenant_id, id, friend) SELECT t.id, n, 1 FROM (SELECT id FROM {s}.tenants LIMIT 1) t, generate_series(1, 2) n;"
        "DELETE FROM {s}.customers WHERE id = 1"
    )
    with psycopg.connect(shop.url) as connection:
        rows = connection.execute(sql.SQL("SELECT tenant_id IS NULL, friend FROM {}").format(sql.Identifier(shop.schema, "customers"))).fetchall()
    assert rows == [(False, None)]


@pytest.mark.anyio
async def test_tenants_of_large_tables_are_estimated(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("ALTER TABLE {s}.customers DROP CONSTRAINT customers_tenant_id_fkey; ALTER TABLE {s}.orders DROP CONSTRAINT orders_tenant_id_fkey")
    shop.run("INSERT INTO {s}.bare SELECT t.id FROM {s}.tenants t, generate_series(1, 50)")
    monkeypatch.setattr("tenancy_fixtures._pg.adopt_shared._COUNTED_BYTES", 1)
    report = await shop.look()
    assert (report.tenants, report.counted) == (None, "not counted: the tables are large and have no statistics: ANALYZE them")
    shop.run("ANALYZE {s}.bare")
    report = await shop.look()
    assert (report.tenants, report.counted) == (3, "estimated from statistics")


@pytest.mark.anyio
async def test_a_login_that_reads_the_catalogue_alone_is_told_all_but_the_number(shop: Shop, plain_login: str) -> None:
    shop.run("GRANT TRUNCATE ON {s}.customers TO {app}")
    report, whole = await shop.look(user=plain_login), await shop.look()
    assert (report.missing, report.tables) == (whole.missing, whole.tables)
    assert (report.tenants, report.counted) == (None, "not counted: the login may not read tenants")


@pytest.mark.anyio
async def test_it_waits_for_nobody_who_writes_and_leaves_nothing(shop: Shop) -> None:
    with psycopg.connect(shop.url) as connection:
        # Everything but ACCESS SHARE waits for this one.
        connection.execute(sql.SQL(shop.said("LOCK TABLE {s}.customers, {s}.orders, {s}.tenants, {s}.notes IN EXCLUSIVE MODE")))  # type: ignore[arg-type]
        report = await asyncio.wait_for(shop.look(), 20)
    assert report.ok


@pytest.mark.anyio
async def test_rows_that_policies_hide_are_not_counted(shop: Shop) -> None:
    shop.run("ALTER TABLE {s}.customers DROP CONSTRAINT customers_tenant_id_fkey; ALTER TABLE {s}.orders DROP CONSTRAINT orders_tenant_id_fkey")
    report = await shop.look(user=shop.app)
    assert (report.registry, report.tenants) == (None, None)
    assert report.counted.startswith("not counted: policies hide rows from the login in ")
    shop.run("INSERT INTO {s}.bare VALUES (gen_random_uuid()), (gen_random_uuid()); INSERT INTO {s}.bare SELECT tenant_id FROM {s}.bare")
    assert ((await shop.look()).tenants, (await shop.look()).counted) == (2, "exact")


@pytest.mark.anyio
async def test_the_column_is_found_given_or_asked_for(shop: Shop) -> None:
    shop.run(
        "CREATE SCHEMA {s}_2; CREATE TABLE {s}_2.a (org_id integer, account_id integer); CREATE TABLE {s}_2.b (org_id integer, account_id integer);"
        'CREATE TABLE {s}_2.c ("accountId" text); CREATE TABLE {s}_2.d (customer_id text)'
    )
    schema = f"{shop.schema}_2"
    try:
        with pytest.raises(
            errors.ConfigurationError, match=r"account_id \(integer, in 2 tables\), org_id \(integer, in 2 tables\), accountId"
        ) as caught:
            await shop.look(schema=schema)
        assert caught.value.facts["candidates"] == ("account_id", "org_id", "accountId", "customer_id")
        report = await shop.look(schema=schema, column="org_id")
        assert {table.name: table.verdict.value for table in report.tables} == {"a": "lacks", "b": "lacks", "c": "common", "d": "common"}
        with pytest.raises(errors.ConfigurationError, match="has a column 'nobody'"):
            await shop.look(schema=schema, column="nobody")
        # What says tenant comes before what may be something else.
        shop.run("CREATE TABLE {s}_2.e (tenant_id bigint)")
        assert (await shop.look(schema=schema)).column == "tenant_id"
        with pytest.raises(errors.ConfigurationError, match="there is no schema"):
            await shop.look(schema=f"{schema}_none")
    finally:
        shop.run("DROP SCHEMA {s}_2 CASCADE")


@pytest.mark.anyio
async def test_a_column_of_another_name_that_refers_to_the_registry_is_one(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE {s}.bills (owner uuid NOT NULL REFERENCES {s}.tenants, id integer, PRIMARY KEY (owner, id)); ALTER TABLE {s}.bills OWNER TO {owner}"
    )
    report = await shop.look()
    assert {item.name for item in report.missing} == {"security_off", "security_not_forced", "policy_missing"}
    bills = next(table for table in report.tables if table.name == "bills")
    assert (bills.column, bills.filled, bills.indexed) == ("owner", True, True)
    for item in report.missing:
        shop.run(item.fix)
    assert (await shop.look()).ok


@pytest.mark.anyio
@pytest.mark.parametrize(
    "test",
    [
        "tenant_id IN (SELECT b.tenant_id FROM {s}.bare b WHERE b.body = current_user)",
        "EXISTS (SELECT FROM {s}.bare b WHERE b.tenant_id = customers.tenant_id AND b.body = current_user)",
        "tenant_id = ANY (string_to_array(current_setting('shop.tenants', true), ',')::uuid[])",
        "nullif(current_setting('shop.tenant', true), '')::uuid = tenant_id AND email <> 'a OR b'",
        "tenant_id::text::varchar(40) = current_setting('shop.tenant')",
        "tenant_id = {s}.greet()::uuid",
    ],
)
async def test_a_policy_may_ask_in_many_ways(shop: Shop, test: str) -> None:
    with psycopg.connect(shop.url) as connection:
        connection.execute(sql.SQL(shop.said(f"ALTER POLICY own ON {{s}}.customers USING ({test})")))  # type: ignore[arg-type]
    assert told(await shop.look()) == []


@pytest.mark.anyio
async def test_a_restriction_of_everybody_holds_whatever_others_let_through(shop: Shop) -> None:
    shop.run("CREATE POLICY staff ON {s}.orders USING (true)")
    assert told(await shop.look()) == [(name, shop.said("policy staff on {s}.orders")) for name in ("policy_using", "policy_check")]
    shop.run("CREATE POLICY bound ON {s}.orders AS RESTRICTIVE USING (tenant_id = current_setting('shop.tenant', true)::uuid)")
    assert (await shop.look()).ok


@pytest.mark.anyio
async def test_what_the_library_makes_for_tenants_that_share_tables_lacks_nothing_of_that(opened: FixtureManager, admin_database_url: str) -> None:
    tenant = await opened.create_tenant("acme", isolation="row")
    report = await FixtureManager(Settings.from_env(database_url=admin_database_url)).look_at_shared(tenant.namespace)
    assert (report.column, report.type, told(report)) == ("tenant_id", "uuid", [])
    assert report.counts["common"] == 0
