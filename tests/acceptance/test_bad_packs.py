"""Names that cannot be, templates and scripts that are at fault: an error that says where, and nothing left behind."""

from __future__ import annotations

import os

import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import PackFolder, State, failing

pytestmark = pytest.mark.anyio


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tenant_id",
    ["a blank", "a/slash", "a\x00nul", "x" * 64, "", "-first", "..", "é", "a\n", 'a"; DROP SCHEMA tenancy'],
    ids=["blank", "slash", "nul", "64", "empty", "dash", "dots", "accent", "newline", "sql"],
)
async def test_a_name_that_cannot_be(manager: FixtureManager, state: State, tenant_id: str):
    async with manager:
        with failing(state, errors.InvalidTenantId, recorded=False, tenant=tenant_id) as found:
            await manager.create_tenant(tenant_id)
        for call in (manager.load_fixtures, manager.migrate, manager.validate, manager.drop_tenant, manager.get_tenant, manager.get_config):
            with failing(state, errors.InvalidTenantId, recorded=False, tenant=tenant_id):
                await call(tenant_id)
    assert "63" in found[0].hint
    if len(tenant_id) == 64:
        assert "64 characters" in found[0].message
    if tenant_id in ("a blank", "a/slash", "a\x00nul"):
        assert "character 2" in found[0].message


async def test_the_longest_names_do_not_share_a_schema(manager: FixtureManager):
    names = ["x" * 63, "x" * 62 + "y", "X" * 63]
    async with manager:
        namespaces = [(await manager.create_tenant(name)).namespace for name in names]
    assert len(set(namespaces)) == 3
    assert all(len(name.encode()) <= 63 for name in namespaces)


async def test_a_name_that_is_taken(acme: FixtureManager, state: State):
    with failing(state, errors.TenantExists):
        await acme.create_tenant("acme")
    with failing(state, errors.TenantExists):
        await acme.create_tenant("acme", tier="premium", config={"ai": {"temperature": 0}})


async def test_a_name_that_nobody_has(manager: FixtureManager, state: State):
    async with manager:
        with failing(state, errors.TenantNotFound):
            await manager.load_fixtures("acme")
        for call in (manager.migrate, manager.validate, manager.drop_tenant, manager.get_tenant, manager.get_config):
            with failing(state, errors.TenantNotFound, recorded=False):
                await call("acme")


async def test_a_tier_or_a_limit_that_cannot_be(manager: FixtureManager, state: State):
    async with manager:
        with failing(state, errors.ConfigurationError):
            await manager.create_tenant("acme", tier="platinum")
        with pytest.raises(errors.ConfigurationError, match="storage"):
            await manager.create_tenant("acme", limits={"storage": "100 parsecs"})


# --- templates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pack.json", "tenant_template.json", "config_template.json"])
def test_a_template_that_is_not_json(spoilt: PackFolder, name: str):
    text = spoilt.read(name)
    spoilt.write(name, text.replace(":", ": ,", 2))
    with pytest.raises(errors.PackInvalid) as raised:
        spoilt.pack()
    error = raised.value
    line = text[: text.index(":")].count("\n") + 1
    assert (error.file, error.line) == (str(spoilt.folder / name), line)
    assert error.column > 1
    assert f"line {line}, column {error.column}" in error.message


@pytest.mark.parametrize(
    ("name", "old", "new", "pointer"),
    [
        ("pack.json", '"version": "1.0.0"', '"version": 7', "/version"),
        ("pack.json", '"key": ["user_id"]', '"key": ["no_such_column"]', "/datasets/0/targets/0"),
        ("pack.json", '"rule": "length"', '"rule": "lenght"', "/datasets/0/targets/0/rules/0/rule"),
        ("pack.json", '"path": "data/users.csv"', '"path": "../../etc/passwd"', "/datasets/0/source/path"),
        ("pack.json", '"extensions"', '"extentions"', "/extentions"),
        ("tenant_template.json", '"default_tier": "standard"', '"default_tier": "none"', "/"),
        ("tenant_template.json", '"features": ["basic_recommendations"]', '"features": "all"', "/tiers/free/features"),
        ("config_template.json", '"defaults": {', '"defaults": 1, "tiers/~": {', "/defaults"),
    ],
)
def test_a_template_that_breaks_its_schema(spoilt: PackFolder, name: str, old: str, new: str, pointer: str):
    spoilt.change(name, old, new)
    with pytest.raises(errors.PackInvalid) as raised:
        spoilt.pack()
    assert (raised.value.file, raised.value.pointer) == (str(spoilt.folder / name), pointer)
    assert f"{name} at {pointer}" in raised.value.message


def test_a_template_that_is_missing_or_not_text(spoilt: PackFolder):
    (spoilt.folder / "config_template.json").write_bytes(b'{"defaults": {"a": "\xff"}}')
    with pytest.raises(errors.PackInvalid, match="not UTF-8 at byte 20"):
        spoilt.pack()
    (spoilt.folder / "config_template.json").unlink()
    with pytest.raises(errors.PackInvalid, match=r"config_template\.json cannot be read"):
        spoilt.pack()
    with pytest.raises(errors.PackInvalid, match="no pack folder"):
        PackFolder(spoilt.folder / "nowhere").pack()


async def test_a_manager_says_so_before_anything_is_done(spoilt: PackFolder, settings: Settings, state: State):
    spoilt.write("tenant_template.json", "{")
    async with FixtureManager(settings.with_changes(pack=str(spoilt.folder))) as manager:
        with failing(state, errors.PackInvalid, recorded=False, tenant=None):
            await manager.create_tenant("acme")


@pytest.mark.parametrize("name", ["tenancy", "t_neighbour", "pg_catalog", "pg_temp", "information_schema", "", "x" * 64])
def test_a_schema_that_cannot_be_shared(spoilt: PackFolder, name: str):
    spoilt.manifest(shared_schemas=["public", name])
    with pytest.raises(errors.PackInvalid, match="cannot be shared") as caught:
        spoilt.pack()
    assert caught.value.pointer == "/shared_schemas"
    spoilt.manifest(shared_schemas=["public", "Reference data"])
    assert spoilt.pack().manifest.shared_schemas == ["public", "Reference data"]


# --- scripts --------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "syntax": ("CREATE TABLE a (b integer);\n  CREATE TABEL c ();", errors.ScriptFailed, (2, 10)),
    "unknown_type": ("-- é: positions are characters\nCREATE TABLE extra (\n    a integer,\n    b integr\n);\n", errors.ScriptFailed, (4, 7)),
    "commit": ("CREATE TABLE a ();\nCOMMIT;\nCREATE TABLE b ();", errors.ScriptEscaped, None),
    "rollback": ("ROLLBACK", errors.ScriptEscaped, None),
    "begin": ("BEGIN; CREATE TABLE a (); END", errors.ScriptEscaped, None),
    "neighbour": ("CREATE TABLE t_neighbour.planted ()", errors.ScriptEscaped, None),
    "read_neighbour": ("CREATE TABLE mine AS TABLE t_neighbour.users", errors.ScriptEscaped, None),
    "registry": ("DELETE FROM tenancy.tenants", errors.ScriptEscaped, None),
    "audit": ("CREATE TABLE mine AS TABLE tenancy.audit_log", errors.ScriptEscaped, None),
    "schema": ("CREATE SCHEMA planted", errors.ScriptEscaped, None),
    "public": ("CREATE TABLE public.planted ()", errors.ScriptEscaped, None),
    "temporary": ("CREATE TEMPORARY TABLE planted ()", errors.ScriptEscaped, None),
    "role": ("SET ROLE postgres", errors.ScriptEscaped, None),
    "reset_role": ("RESET ROLE; DROP SCHEMA t_neighbour CASCADE", errors.ScriptEscaped, None),
    "program": ("COPY (SELECT 1) TO PROGRAM 'true'", errors.ScriptEscaped, None),
    "definer": (
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        errors.ScriptEscaped,
        None,
    ),
    "do": ("DO $$ BEGIN COMMIT; END $$", errors.ScriptEscaped, None),
    "division": ("CREATE TABLE a AS SELECT 1 / 0 AS b", errors.ScriptFailed, None),
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_that_is_at_fault(settings: Settings, spoilt: PackFolder, state: State, name: str):
    text, kind, place = SCRIPTS[name]
    spoilt.reduce("CREATE TABLE users (user_id integer PRIMARY KEY)")
    async with FixtureManager(settings, pack=spoilt.pack()) as good:
        await good.create_tenant("neighbour")
        spoilt.reduce(text)
        async with FixtureManager(settings, pack=spoilt.pack()) as manager:
            with failing(state, kind) as found:
                await manager.create_tenant("acme")
        error = found[0]
        assert (error.file, error.step) == ("schema_template.sql", "schema: apply")
        if place:
            assert (error.line, error.column) == place
            assert f"schema_template.sql, line {place[0]}, column {place[1]}" in error.message
        # The same name, with a script that is in order.
        assert (await good.create_tenant("acme")).namespace == "t_acme"
        assert (await good.validate("neighbour")).findings == ()


async def test_a_script_that_makes_no_table_for_a_dataset(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.write("schema_template.sql", "CREATE TABLE users (user_id uuid PRIMARY KEY)")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        with failing(state, errors.ValidationFailed) as found:
            await manager.create_tenant("acme")
    assert {"tracks", "artists"} <= {finding["object"] for finding in found[0].findings}
    assert found[0].step == "schema: verify"


async def test_an_extension_that_is_not_there(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.manifest(extensions=["no_such_extension"])
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        with failing(state, errors.ValidationFailed) as found:
            await manager.create_tenant("acme")
    assert found[0].findings[0]["object"] == "no_such_extension"


@pytest.mark.parametrize(
    ("file", "old", "new", "pointer"),
    [
        ("config_template.json", '"defaults": {', '"defaults": {"zero": "a\\u0000b", ', "/defaults/zero"),
        ("config_template.json", '"defaults": {', '"defaults": {"half": "\\ud800", ', "/defaults/half"),
        ("config_template.json", '"defaults": {', '"defaults": {"large": [1e999], ', "/defaults/large/0"),
        ("tenant_template.json", '"features": [', '"features": ["x\\u0000", ', "/tiers/"),
        ("tenant_template.json", '"limits": {', '"limits": {"chairs": "99zz", ', "/tiers/"),
    ],
)
def test_values_that_the_database_cannot_hold(spoilt: PackFolder, file: str, old: str, new: str, pointer: str):
    spoilt.change(file, old, new)
    with pytest.raises(errors.PackInvalid, match=file) as raised:
        spoilt.pack()
    assert raised.value.pointer.startswith(pointer)


def test_a_pipe_in_a_packs_place_is_not_waited_for(spoilt: PackFolder):
    (spoilt.folder / "config_template.json").unlink()
    os.mkfifo(spoilt.folder / "config_template.json")
    with pytest.raises(errors.PackInvalid, match="no regular file"):
        spoilt.pack()
