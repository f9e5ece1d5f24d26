"""Ids of tenants that are traps: each is refused before the server hears of it, or makes a tenant whose schema is nobody else's."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from sqlalchemy import text

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures.exceptions import InvalidTenantId, TenantExists, TenantNotFound
from tenancy_fixtures.integrations.sqlalchemy import tenant_context
from tests.acceptance.support import State, is_text

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
LONGEST = "x" * 63

# May be ids, and are awkward ones: words of SQL, schemas of PostgreSQL's own and of ours, names that differ in case or in a sign
# that a schema cannot have, names as long as they may be, numbers, ids that look like something else.
AWKWARD = (
    *("select", "SELECT", "table", "user", "null", "NULL", "true", "default", "current_user", "all"),
    *("public", "pg_catalog", "pg_temp", "pg_toast", "information_schema", "tenancy", "t_acme", "t_acme.tracks", "t_", "template0", "postgres"),
    *("acme", "Acme", "ACME", "acme-", "acme_", "acme.", "a-c.m_e", "a_c_m_e", "a.c-m_e", "a-c-m-e", "a.c.m.e"),
    *("0", "00", "1e3", "0x10", "1", "1.5", "2024-01-01", "127.0.0.1"),
    *(LONGEST, LONGEST[:-1] + "X", LONGEST[:-1] + "y", "X" * 63, f"{'a' * 60}.-_", f"{'a' * 60}-._"),
    *("index.html", "robots.txt", "con", "nul.txt", "a..b", "a--b", "a__b", "xn--bcher-kva", "id", "tenant_id", "none", "undefined"),
)
# Can be none.
IMPOSSIBLE = (
    *("", " ", "a b", " a", "a ", "a\t", "a\n", "\na", "a\r\n", "a\x00", "\x00", "a\x00b", "\ufeffa", "a\u200b", "a\u202e", "a\u00a0"),
    *(
        "-a",
        "_a",
        ".a",
        ".",
        "..",
        "../a",
        "a/b",
        "a\\b",
        "/",
        "~",
        "$user",
        '"',
        "'",
        "a'b",
        'a"b',
        "a;b",
        "a--;b/*",
        "$$",
        "%s",
        "%(a)s",
        "{}",
        "{0}",
    ),
    *("ä", "ﬀ", "ß", "İ", "ı", "\u212a", "а", "é", "e\u0301", "١", "²", "𝟘", "😀", "x" * 64, "é" * 32, "x" * 10_000),  # noqa: RUF001 - that is the trap
    *(
        "'; DROP SCHEMA tenancy CASCADE; --",
        "a,b",
        "a=b",
        "a:b",
        "a@b",
        "a#b",
        "a?b",
        "a&b",
        "a|b",
        "a*",
        "(a)",
        "[a]",
        "<a>",
        "`a`",
    ),
)


@pytest.fixture
async def notes(settings: Settings, state: State, anyio_backend: str):
    async with FixtureManager(settings, pack=Pack.from_folder(ROOT / "examples" / "notes-pack")) as manager:
        yield manager


async def test_awkward_ids_are_tenants_of_their_own(notes: FixtureManager, state: State):
    assert len(AWKWARD) + len(IMPOSSIBLE) >= 60
    assert len(set(AWKWARD)) == len(AWKWARD)
    namespaces = {name: (await notes.create_tenant(name)).namespace for name in AWKWARD}
    assert len({namespace.casefold() for namespace in namespaces.values()}) == len(AWKWARD)
    assert all(namespace.startswith("t_") and len(namespace.encode()) <= 63 for namespace in namespaces.values())
    there = {row["nspname"] for row in state.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%'")}
    assert there == set(namespaces.values())
    for name, namespace in namespaces.items():
        with pytest.raises(TenantExists):
            await notes.create_tenant(name)
        assert (await notes.get_tenant(name)).namespace == namespace
        async with notes.session(name) as session:
            assert (await session.execute(text("SELECT current_schema()"))).scalar() == namespace
    for name in AWKWARD[::2]:
        await notes.drop_tenant(name)
    assert {tenant.tenant_id for tenant in await notes.list_tenants()} == set(AWKWARD[1::2])


async def refuses(manager: FixtureManager, name: str) -> None:
    for ask in (manager.create_tenant, manager.get_tenant, manager.validate, manager.drop_tenant, manager.load_fixtures, manager.migrate):
        with pytest.raises(InvalidTenantId):
            await ask(name)
    with pytest.raises(InvalidTenantId), tenant_context(name):
        pass


@pytest.mark.parametrize("name", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
async def test_impossible_ids_are_refused_before_the_server_hears_of_them(name: str, notes: FixtureManager, state: State):
    await refuses(notes, name)
    assert state.rows("SELECT tenant_id FROM tenancy.runs") == []


async def test_naughty_strings_are_ids_or_are_refused(notes: FixtureManager, state: State, real_data: Path):
    path = real_data.parent / "corpora" / "blns" / "blns.base64.json"
    if not path.is_file():
        pytest.skip(f"no list of naughty strings in {path}")
    entries = {base64.b64decode(entry) for entry in json.loads(path.read_bytes())}
    words = {entry.decode() for entry in entries if is_text(entry)}
    # Whatever the server should refuse of them would be raised here.
    taken = {word: namespace for word in sorted(words) if (namespace := await namespace_of(notes, word)) is not None}
    assert len({namespace.casefold() for namespace in taken.values()}) == len(taken) > 20
    assert len(await notes.list_tenants()) == len(taken)
    with pytest.raises(TenantNotFound):
        await notes.get_tenant("nobody")


async def namespace_of(manager: FixtureManager, word: str) -> str | None:
    """The schema of a tenant that is called so; ``None`` where nobody can be."""
    try:
        return (await manager.create_tenant(word)).namespace
    except InvalidTenantId:
        await refuses(manager, word)
        return None
