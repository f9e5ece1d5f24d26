"""Another database, or another login, in a server's URL."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from tenancy_fixtures._pg.bootstrap import with_parts


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://root:pw@db.example.org:5433/app?sslmode=require",
        "postgresql://root:pw@db.example.org:5433/?dbname=app&sslmode=require",
        "postgresql://db.example.org:5433/app?user=root&password=pw&sslmode=require",
        "postgresql:///app?host=db.example.org&port=5433&user=root&password=pw&sslmode=require",
    ],
)
def test_what_the_query_says_does_not_win(url: str):
    place = {"host": "db.example.org", "port": "5433", "sslmode": "require"}
    assert conninfo_to_dict(with_parts(url, database="other")) == {**place, "user": "root", "password": "pw", "dbname": "other"}
    assert conninfo_to_dict(with_parts(url, database="o/t?h", user="t@x", password="p:w&")) == {
        **place,
        "user": "t@x",
        "password": "p:w&",
        "dbname": "o/t?h",
    }
