"""A tenant that is dropped takes nothing along that is not its own."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.cli._exit import ExitCode, exit_code_of
from tenancy_fixtures.exceptions import TenantInUse
from tenancy_fixtures.packs import DEFAULT_FOLDER, Pack
from tenancy_fixtures.settings import Settings

pytestmark = pytest.mark.anyio

SCRIPT = """
CREATE TYPE mood AS ENUM ('calm'); CREATE DOMAIN small AS int;
CREATE FUNCTION greet() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x''::text';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE notes (id int PRIMARY KEY, word text, parent int REFERENCES notes, m mood[], s small DEFAULT 1 CHECK (s > 0));
CREATE INDEX ON notes (word); CREATE TRIGGER t BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
CREATE VIEW seen AS SELECT id, parent FROM notes; CREATE VIEW more AS SELECT id FROM seen; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM notes;
CREATE RULE r AS ON DELETE TO notes DO INSTEAD NOTHING; CREATE STATISTICS st ON id, word FROM notes;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON notes USING (greet() = word); COMMENT ON TABLE notes IS 'x';
CREATE FUNCTION moods(text) RETURNS mood LANGUAGE sql IMMUTABLE AS 'SELECT ''calm''::text::mood'; CREATE CAST (text AS mood) WITH FUNCTION moods(text);
CREATE TABLE large (t text, k small UNIQUE DEFERRABLE); CREATE FUNCTION all_of() RETURNS SETOF notes LANGUAGE sql AS 'SELECT * FROM notes'
"""
DEPENDENTS = {
    "view": ("CREATE VIEW public.depv AS SELECT id FROM t_dep.notes", "view depv"),
    "materialised view": ("CREATE MATERIALIZED VIEW public.depv AS SELECT id FROM t_dep.notes", "materialized view depv"),
    "view of a view": ("CREATE VIEW public.depv AS SELECT id FROM t_dep.seen", "view depv"),
    "reference": ("CREATE TABLE public.depfk (id int REFERENCES t_dep.notes)", "constraint depfk_id_fkey on table depfk"),
    "column": ("CREATE TABLE public.dep (m t_dep.mood)", "column m of table dep"),
    "column of an array": ("CREATE TABLE public.dep (m t_dep.mood[])", "column m of table dep"),
    "column of a row": ("CREATE TABLE public.dep (m t_dep.notes)", "column m of table dep"),
    "domain": ("CREATE DOMAIN public.dep AS t_dep.small", "type dep"),
    "default": ("CREATE TABLE public.dep (m text DEFAULT t_dep.greet())", "default value for column m of table dep"),
    "partition": ("CREATE TABLE public.dep PARTITION OF t_dep.parts FOR VALUES IN (2)", "table dep"),
    "child": ("CREATE TABLE public.dep () INHERITS (t_dep.large)", "table dep"),
    "function": ("CREATE FUNCTION public.dep(t_dep.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function dep(t_dep.mood)"),
    "trigger": (
        "CREATE TABLE public.dep (); CREATE TRIGGER g BEFORE INSERT ON public.dep FOR EACH ROW EXECUTE FUNCTION t_dep.note()",
        "trigger g on table dep",
    ),
    "cast": ("CREATE TYPE public.dep AS ENUM ('x'); CREATE CAST (public.dep AS t_dep.mood) WITH INOUT", "cast from dep to t_dep.mood"),
}


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    folder = tmp_path / "pack"
    (folder / "migrations").mkdir(parents=True)
    (folder / "pack.json").write_text('{"name": "dep", "version": "1"}')
    for name in ("tenant_template.json", "config_template.json"):
        (folder / name).write_bytes((DEFAULT_FOLDER / name).read_bytes())
    for name in ("schema_template.sql", "migrations/0001_initial.sql"):
        (folder / name).write_text(SCRIPT)
    return Pack.from_folder(folder)


def administer(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = ''")
        for part in statement.split("; "):
            connection.execute(part)


@pytest.mark.parametrize("name", DEPENDENTS)
async def test_what_stands_on_a_tenant_from_outside_keeps_it(settings: Settings, pack: Pack, admin_database_url: str, look, name):
    statement, told = DEPENDENTS[name]
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("dep")
        administer(admin_database_url, statement)
        for dry_run in (True, False):
            with pytest.raises(TenantInUse) as caught:
                await manager.drop_tenant("dep", dry_run=dry_run)
            error = caught.value
            assert [item.replace("public.", "") for item in error.objects] == [told]
            assert (error.tenant, error.step) == ("dep", "schema: rollback")
            assert "an object outside the schema t_dep would go with it: " in error.message
            assert "Nothing was dropped." in error.hint
            assert exit_code_of(error) is ExitCode.CONFLICT
        assert look("SELECT tenant_id FROM tenancy.tenants") == [{"tenant_id": "dep"}]
        assert look("SELECT to_regclass('t_dep.notes') IS NOT NULL AS there") == [{"there": True}]


async def test_five_are_told_and_how_many_more(settings: Settings, pack: Pack, admin_database_url: str):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("dep")
        for number in range(7):
            administer(admin_database_url, f"CREATE VIEW public.v{number} AS SELECT id FROM t_dep.notes")
        with pytest.raises(TenantInUse) as caught:
            await manager.drop_tenant("dep", dry_run=True)
        assert caught.value.message.startswith("7 objects outside the schema t_dep would go with it: ")
        assert caught.value.message.endswith(" … and 2 more")
        assert len(caught.value.objects) == 7


async def test_a_tenant_that_stands_alone_goes_with_all_its_parts(settings: Settings, pack: Pack, look):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("dep")
        await manager.create_tenant("other")
        await manager.drop_tenant("dep", dry_run=True)
        await manager.drop_tenant("dep")
    assert look("SELECT nspname::text AS name FROM pg_namespace WHERE nspname ~ '^t_'") == [{"name": "t_other"}]
