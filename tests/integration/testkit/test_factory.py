"""Rows made to order: valid ones, with what they refer to, the same for the same seed."""

from __future__ import annotations

import pytest

pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")

FACTORY = """
import datetime
import uuid

import pytest
from sqlalchemy import text

from tenancy_fixtures.exceptions import ConfigurationError, DatabaseError, DatasetNotFound


def count(tenant, table):
    with tenant.session() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar()


def test_rows_and_what_they_refer_to(tenant, factory):
    rows = factory("tracks")(n=3, title="x", popularity=7)
    assert [(row["title"], row["popularity"]) for row in rows] == [("x", 7)] * 3
    assert isinstance(rows[0]["track_id"], (str, uuid.UUID))
    assert 0 < count(tenant, "albums") <= 3
    assert count(tenant, "tracks") == 3
    (more,) = factory("tracks")()
    assert more["track_id"] not in [row["track_id"] for row in rows]
    factory("playlist_tracks")(n=5)
    assert count(tenant, "playlist_tracks") == 5
    assert tenant.run(lambda manager: manager.validate(tenant.tenant_id)).ok


@pytest.mark.parametrize("turn", range(2))
def test_the_same_rows_each_time(factory, tenant, turn):
    found = [{name: value for name, value in row.items() if name not in ("created_at", "updated_at")} for row in factory("users")(n=2)]
    known = pytest.__dict__.setdefault("rows_of_first", found)
    assert found == known
    assert factory("users", seed=5)(n=1)[0] not in known


def test_in_another_tenant(tenants, factory):
    first, second = tenants(2)
    factory("users", tenant=second)(n=4)
    assert (count(first, "users"), count(second, "users")) == (0, 4)


def test_mistakes(tenant, factory):
    with pytest.raises(ConfigurationError, match="no column nothing"):
        factory("users")(nothing=1)
    with pytest.raises(DatasetNotFound):
        factory("nobody")()
    with pytest.raises(ConfigurationError, match="200 rows"):
        factory("users")(n=201)
    with pytest.raises(DatabaseError):
        factory("tracks")(title=None)
    with pytest.raises(ConfigurationError, match="type object"):
        factory("tracks")(title=object())
    assert count(tenant, "tracks") == 0
"""


def test_a_suite_makes_rows(suite):
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\ntenancy_datasets = none\n")
    suite.write("test_factory.py", FACTORY)
    ended, printed = suite.run()
    assert ended == {"passed": 5}, printed
