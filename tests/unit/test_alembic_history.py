"""A host's Alembic history as a pack's revisions: their order, what Alembic's table says after each, and what cannot be one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tenancy_fixtures import Pack
from tenancy_fixtures.exceptions import PackInvalid
from tests.alembic_host import INI, SMALL, Written, write_host, write_pack


def make(folder: Path, *revisions: Written, **more: str) -> Pack:
    write_host(folder, revisions or SMALL)
    return Pack.from_folder(write_pack(folder, **more))


def step(name: str, *downs: str, up: str = "pass", depends: tuple[str, ...] | None = None) -> Written:
    return Written(name, downs, up, depends=depends)


def test_revisions_are_those_of_alembic_in_order(tmp_path):
    pack = make(tmp_path)
    assert [(item.number, item.version, item.heads) for item in pack.revisions] == [
        (1, "aa1", ("aa1",)),
        (2, "bb2", ("bb2",)),
        (3, "cc3", ("bb2", "cc3")),
        (4, "dd4", ("dd4",)),
        (5, "ee5", ("ee5",)),
        (6, "ff6", ("ff6",)),
    ]
    assert (pack.head, pack.schema_sql) == (6, None)
    assert [item.online for item in pack.revisions] == [False] * 5 + [True]
    assert [item.name for item in pack.revisions] == [item.version for item in pack.revisions]


def test_numbers_and_what_alembics_table_says(tmp_path):
    pack = make(tmp_path)
    assert [pack.number_at(pack.versions_at(number)) for number in range(pack.head + 1)] == list(range(pack.head + 1))
    assert pack.number_at(["cc3", "bb2"]) == 3
    # A tenant that has the second branch alone, and one of another history.
    assert pack.number_at(["cc3"]) is None
    assert pack.number_at(["zz9"]) is None


def test_the_sql_says_what_was_meant(tmp_path):
    texts = [item.sql for item in make(tmp_path).revisions]
    assert "ALTER TABLE songs ADD COLUMN genre VARCHAR(20) DEFAULT 'it''s 100% \\ new'" in texts[1]
    assert "INSERT INTO songs (title) VALUES ('50% \\ :off')" in texts[4]
    assert texts[5] == ""


def test_the_digest_is_of_the_source(tmp_path):
    first = make(tmp_path)
    file = first.revisions[1].file
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert Pack.from_folder(tmp_path).digest == first.digest
    file.write_bytes(file.read_bytes() + b"# seen\r\n")
    assert Pack.from_folder(tmp_path).revisions[1].digest != first.revisions[1].digest


@pytest.mark.parametrize(
    "body",
    [
        "op.get_bind().execute(sa.text('SELECT 1'))",
        "op.get_context().connection.execute(sa.text('SELECT 1'))",
        "context.get_bind().execute(sa.text('SELECT 1'))",
        "context.get_context().bind.execute(sa.text('SELECT 1'))",
        "context.is_offline_mode() or op.execute('SELECT 1')",
        "op.get_context().as_sql or op.execute('SELECT 1')",
        "from sqlalchemy.orm import Session\nSession(op.get_bind()).commit()",
        "try:\n    op.get_bind()\nexcept Exception:\n    pass",
        # What cannot be written as a literal.
        "op.bulk_insert(sa.table('songs', sa.column('cover', sa.LargeBinary)), [{'cover': b'\\\\x00'}])",
    ],
)
def test_what_needs_a_connection_is_told_from_what_does_not(tmp_path, body: str):
    [revision] = make(tmp_path, step("aa1", up=body)).revisions
    assert (revision.online, revision.sql) == (True, "")


def test_what_alembic_offers_besides_is_there(tmp_path):
    up = """
    assert context.config.get_main_option("script_location")
    with op.batch_alter_table("songs") as batch:
        batch.add_column(sa.Column("cover", sa.Text))
    op.get_context().execute("SELECT 1")
    assert op.get_context().dialect.name == "postgresql"
    """
    [revision] = make(tmp_path, step("aa1", up=up)).revisions
    assert not revision.online
    assert "ADD COLUMN cover TEXT" in revision.sql


def test_op_is_nobodys_afterwards(tmp_path):
    make(tmp_path)
    from alembic import context, op

    for call in (op.get_bind, context.get_bind):
        with pytest.raises((NameError, AttributeError)):
            call()


@pytest.mark.parametrize(
    "body",
    [
        "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')",
        "op.create_index('i', 'songs', ['title'], postgresql_concurrently=True)",
        "op.execute('DROP INDEX /* - */ concurrently i')",
    ],
)
def test_a_revision_that_leaves_its_transaction(tmp_path, body: str):
    [revision] = make(tmp_path, step("aa1", up=body)).revisions
    assert (revision.leaves, revision.online) == (True, False)
    assert "concurrently" not in revision.sql.lower()
    assert revision.sql.strip()


def test_a_word_is_no_statement(tmp_path):
    [revision] = make(tmp_path, step("aa1", up="op.execute('''SELECT 'CONCURRENTLY' AS \"concurrently\" -- CONCURRENTLY''')")).revisions
    assert not revision.online
    assert not revision.leaves
    assert revision.sql.count("CONCURRENTLY") == 2


def test_a_view_is_refreshed_within_a_transaction(tmp_path):
    [revision] = make(tmp_path, step("aa1", up="op.execute('REFRESH MATERIALIZED VIEW CONCURRENTLY v')")).revisions
    assert not revision.leaves
    assert "CONCURRENTLY" in revision.sql


def test_a_dependency_counts_as_alembic_counts_it(tmp_path):
    pack = make(tmp_path, step("aa1"), step("bb2"), step("cc3", "aa1", depends=("bb2",)))
    assert [item.heads for item in pack.revisions] == [("aa1",), ("aa1", "bb2"), ("cc3",)]


def test_several_heads_are_refused(tmp_path):
    with pytest.raises(PackInvalid, match="ends in 2 heads: bb2, cc3") as raised:
        make(tmp_path, step("aa1"), step("bb2", "aa1"), step("cc3", "aa1"))
    assert "alembic merge heads" in str(raised.value.hint)


def test_what_is_no_history(tmp_path):
    with pytest.raises(PackInvalid, match="no Alembic configuration"):
        Pack.from_folder(write_pack(tmp_path))
    write_host(tmp_path, [])
    with pytest.raises(PackInvalid, match="no revision"):
        Pack.from_folder(tmp_path)
    write_host(tmp_path, [step("aa1", "nowhere")])
    with pytest.raises(PackInvalid, match="cannot read the history"):
        Pack.from_folder(tmp_path)
    (tmp_path / "alembic.ini").write_text(INI.replace("migrations", "elsewhere"), encoding="utf-8")
    with pytest.raises(PackInvalid, match="Path doesn't exist"):
        Pack.from_folder(tmp_path)


def test_revisions_have_one_author(tmp_path):
    write_host(tmp_path, SMALL)
    (tmp_path / "migrations" / "0001_initial.sql").write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(PackInvalid, match="of Alembic and of its own"):
        Pack.from_folder(write_pack(tmp_path))


def test_paths_are_meant_from_the_configurations_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir("/")
    other = tmp_path / "100% ours"
    (other / "more").mkdir(parents=True)
    (other / "host_models_of_a_test.py").write_text(
        "import sqlalchemy as sa\nclass Base:\n    metadata = sa.MetaData(naming_convention={'uq': 'unique_%(table_name)s_%(column_0_name)s'})\n",
        encoding="utf-8",
    )
    write_host(other, [step("aa1", up="op.create_unique_constraint(None, 'songs', ['title'])")], ini=INI + "\n")
    ini = INI.replace("script_location = migrations", "script_location = migrations\nversion_locations = migrations/versions more")
    (other / "alembic.ini").write_text(ini, encoding="utf-8")
    write_host(tmp_path / "b", [step("bb2", "aa1")])
    (tmp_path / "b/migrations/versions/bb2_step.py").replace(other / "more" / "bb2_step.py")
    pack = Pack.from_folder(write_pack(other, metadata="host_models_of_a_test:Base.metadata"))
    assert [item.version for item in pack.revisions] == ["aa1", "bb2"]
    assert "unique_songs_title" in pack.revisions[0].sql


@pytest.mark.parametrize("reference", ["no_such_module_at_all:Base.metadata", "sqlalchemy:Nothing", "sqlalchemy:Column"])
def test_metadata_that_is_none(tmp_path, reference: str):
    write_host(tmp_path, SMALL)
    with pytest.raises(PackInvalid, match=reference):
        Pack.from_folder(write_pack(tmp_path, metadata=reference))


def models() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("countries", metadata, sa.Column("code", sa.String(2), primary_key=True), schema="world")
    sa.Table("zebras", metadata, sa.Column("id", sa.Integer, sa.ForeignKey("artists.id"), primary_key=True, comment="100% 'it'"))
    kind = sa.Enum("solo", "band", name="kind")
    country = sa.Column("country", sa.ForeignKey("world.countries.code"))
    sa.Table("artists", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", kind, index=True), country)
    return metadata


def test_models_make_a_script_in_order_of_references():
    pack = Pack.from_metadata("mine", models(), shared_schemas=["world"])
    text = pack.schema_sql or ""
    places = [
        text.index(part) for part in ("CREATE TYPE kind", "CREATE TABLE artists", "CREATE INDEX ix_artists_kind", "CREATE TABLE zebras", "COMMENT ON")
    ]
    assert places == sorted(places)
    assert "CREATE TABLE world" not in text
    assert "REFERENCES world.countries (code)" in text
    assert "IS '100% ''it'''" in text
    assert (pack.name, pack.head, pack.schema_file, pack.tenant_template.default_tier) == ("mine", 0, "the models", "standard")


def test_a_table_of_another_schema_is_refused():
    with pytest.raises(PackInvalid, match=r"world\.countries"):
        Pack.from_metadata("mine", models())


def test_what_is_no_manifest_is_refused():
    with pytest.raises(PackInvalid, match="the pack 'My Own' at /name"):
        Pack.from_metadata("My Own", sa.MetaData())
    with pytest.raises(PackInvalid, match="/nonsense"):
        Pack.from_metadata("mine", sa.MetaData(), nonsense=1)


def test_models_with_revisions_of_alembic_or_sql(tmp_path):
    ini = write_host(tmp_path, SMALL)
    assert [item.version for item in Pack.from_metadata("mine", sa.MetaData(), migrations=ini).revisions] == [item.name for item in SMALL]
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "0001_one.sql").write_text("SELECT 1", encoding="utf-8")
    pack = Pack.from_metadata("mine", sa.MetaData(), migrations=tmp_path / "sql", datasets=[], checks=[])
    assert [(item.name, item.version) for item in pack.revisions] == [("one", None)]
