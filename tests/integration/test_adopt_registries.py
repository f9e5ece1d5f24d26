"""Registries of others name the tenants: that of django-tenants, whose own commands go on to agree with us, and tables of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._pg.bootstrap import with_parts
from tests.conftest import PASSWORD
from tests.django_fleet import DjangoFleet
from tests.fleets import Fleet, dump, picture, verdicts
from tests.integration.test_adopt import adopting, fleet, login, value

__all__ = ["adopting", "fleet", "login"]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


def hosts_url(fleet: Fleet) -> str:
    """The URL that the host's application uses: of the role that owns its tenants."""
    with fleet.connection() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(fleet.owner), sql.Literal(PASSWORD)))
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(fleet.owner)))
        database = connection.info.dbname
    return with_parts(fleet.admin_url, database=database, user=fleet.owner, password=PASSWORD)


async def test_a_fleet_of_django_tenants_is_moved_by_us_and_django_agrees(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    host = DjangoFleet(tmp_path, hosts_url(fleet))
    host.create("acme", "north-sea")
    host.go_on()
    host.create("late")
    schemas = ("acme", "north-sea", "late")
    seen, dumped = picture(fleet.admin_url, schemas), dump(fleet.admin_url, schemas)
    async with FixtureManager(adopting, pack=host.pack(tmp_path / "pack", "late")) as manager:
        report = await manager.adopt(registry="django-tenants")
        assert verdicts(report) == dict.fromkeys(schemas, "ready"), [(item.schema, item.reason, item.difference) for item in report.adoptions]
        assert {item.schema: item.revision for item in report.adoptions} == {"acme": 1, "north-sea": 1, "late": 2}
        assert (picture(fleet.admin_url, schemas), dump(fleet.admin_url, schemas)) == (seen, dumped)
        for name in schemas:
            await manager.migrate(name)
        assert value(fleet, "SELECT count(*) FROM tenancy.tenants WHERE revision = 2") == 3
        moved = [dump(fleet.admin_url, [name]) for name in schemas]
        said = host.manage("migrate_schemas", "--tenant")
        assert said.count("No migrations to apply") == 3, said
        assert [dump(fleet.admin_url, [name]) for name in schemas] == moved
        for name in schemas:
            assert [item.message for item in (await manager.validate(name)).findings if item.severity == "error"] == []
    asked = """
from django_tenants.utils import schema_context
from shop.models import Author, Note
for name in ("acme", "late"):
    with schema_context(name):
        print(Note.objects.create(author=Author.objects.create(name="Ann"), body="x").read, Note.objects.filter(read=False).count())
"""
    assert host.run(asked) == "False 1\nFalse 1\n"


async def test_any_table_may_be_the_registry(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for schema in ("acme", "beta"):
        fleet.make(schema, 1)
    with fleet.connection() as connection:
        connection.execute(
            "CREATE TABLE public.accounts (subdomain text); INSERT INTO public.accounts VALUES ('acme'), ('beta'), ('gone'), ('public'), (NULL)"
        )
        connection.execute(sql.SQL("ALTER TABLE public.accounts OWNER TO {}").format(sql.Identifier(fleet.owner)))
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        report = await manager.adopt(registry="public.accounts.subdomain")
        assert verdicts(report) == {"acme": "ready", "beta": "ready", "gone": "conflict"}
        assert report.adoptions[2].reason == "there is no such schema"
        for registry, message in {
            "django-tenants": "one table with a unique column 'schema_name', and there are 0",
            "public.accounts": "has no column 'schema_name'",
            "public.nobody.x": "no table public.nobody",
            "accounts": "is no registry",
        }.items():
            with pytest.raises(errors.ConfigurationError, match=message):
                await manager.adopt(registry=registry)
