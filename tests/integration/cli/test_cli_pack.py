"""``tenancy pack new`` and ``tenancy pack check``: a pack to begin with, and packs that are looked over."""

from __future__ import annotations

import json
import shutil

import pytest

from tenancy_fixtures import Pack

FILES = [
    "README.md",
    "config_template.json",
    "data/projects.csv",
    "data/tasks.csv",
    "migrations/0001_initial.sql",
    "pack.json",
    "schema_template.sql",
    "tenant_template.json",
]


@pytest.fixture
def made(tenancy, tmp_path):
    """A folder that ``pack new`` has filled."""
    folder = tmp_path / "packs" / "my-own"
    assert tenancy("pack", "new", folder).code == 0
    return folder


def test_a_new_pack_passes_its_check_and_loads(tenancy, made):
    assert Pack.from_folder(made).name == "my-own"
    checked = tenancy("pack", "check", made, "--json")
    assert (checked.code, checked.json["subject"], checked.json["findings"]) == (0, "my-own", [])
    assert tenancy("tenant", "create", "acme", "--tier", "team", "--pack", made).code == 0
    loaded = tenancy("load", "acme", "--pack", made, "--json").json
    assert {item["dataset"]: item["stored"] for item in loaded["datasets"]} == {"projects": 8, "tasks": 40}
    assert (loaded["rejects"], tenancy("validate", "acme", "--pack", made).code) == (0, 0)


def test_a_copy_of_the_default_pack_and_a_kind_that_reads_other_files(tenancy, tmp_path):
    folder, file = tmp_path / "copy", tmp_path / "zahlen.csv"
    assert tenancy("pack", "new", folder, "--default", "--shape", "analytics-metrics", "--shape", "ai-prompts").code == 0
    assert Pack.from_folder(folder).name == Pack.default().name
    assert sorted(path.name for path in (folder / "shapes").iterdir()) == ["metrics.json", "prompts.json"]
    assert not {"__init__.py", "generate.py", "words.json", "schemas"} & {path.name for path in folder.iterdir()}
    # A tenant of the default pack goes on with the copy, and what the library's functions make of a kind they go on making.
    assert tenancy("tenant", "create", "acme").code == 0
    (tmp_path / "prompts.json").write_text('[{"name": "greet", "version": 1, "template": "Hello {name}"}]', encoding="utf-8")
    assert tenancy("load", "acme", "--pack", folder, "--file", tmp_path / "prompts.json").code == 0
    file.write_text("metric;date;value\nplays;03.05.2024;1.234,5\n", encoding="utf-8")
    assert tenancy("load", "acme", "--pack", folder, "--file", file).code == 6
    shape = folder / "shapes" / "metrics.json"
    columns = json.loads(shape.read_text(encoding="utf-8"))
    target = columns["datasets"][0]["targets"][0]["columns"]
    target["period_start"]["steps"] = [{"format": "%d.%m.%Y"}]
    target["value"]["steps"] = [{"number": {"thousands": ".", "decimal": ","}}]
    shape.write_text(json.dumps(columns), encoding="utf-8")
    done = tenancy("load", "acme", "--pack", folder, "--file", file, "--json")
    assert (done.code, done.json["stored"]) == (0, 1), done
    refused = tenancy("pack", "new", tmp_path / "other", "--shape", "none")
    assert (refused.code, (tmp_path / "other").exists()) == (2, False)
    assert "spotify-tracks" in refused.err


def test_what_is_written_is_told(tenancy, tmp_path):
    done = tenancy("pack", "new", tmp_path / "a")
    assert done.out.splitlines() == [str(tmp_path / "a" / name) for name in FILES]
    assert "pack check" in done.err
    told = tenancy("pack", "new", tmp_path / "b", "--name", "c", "--json").json
    assert told == {"pack": "c", "folder": str(tmp_path / "b"), "files": [str(tmp_path / "b" / name) for name in FILES]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(("folder", "name"), [("Notes of 2025", "notes-of-2025"), ("Ünï", "n"), ("---", "my-pack"), ("x" * 80, "x" * 63)])
def test_a_pack_is_called_what_its_folder_is_called(tenancy, tmp_path, folder, name):
    assert tenancy("pack", "new", tmp_path / folder, "--json").json["pack"] == name
    assert Pack.from_folder(tmp_path / folder).name == name


def test_an_empty_folder_is_filled_where_it_stands(tenancy, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert tenancy("pack", "new", ".", "--json").json["pack"] == "here"
    assert (tmp_path / "here" / "pack.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_what_is_there_is_kept(tenancy, made):
    (made / "pack.json").write_text("mine", encoding="utf-8")
    for target in (made, made / "pack.json"):
        done = tenancy("pack", "new", target, "--json")
        assert (done.code, done.json["error"]) == (5, "OutputExists")
    assert (made / "pack.json").read_text(encoding="utf-8") == "mine"


def test_what_cannot_be_is_refused(tenancy, made):
    for name in ("Big", "a b", "", "x" * 64, "a\n"):
        assert tenancy("pack", "new", made.parent / "other", "--name", name).code == 2
    below = tenancy("pack", "new", made / "pack.json" / "below", "--json")
    assert (below.code, below.json["error"]) == (6, "PackError")
    assert not (made.parent / "other").exists()


def test_findings_are_1_and_a_pack_that_is_none_6(tenancy, made, state):
    assert tenancy("pack", "check", made.parent / "nothing").code == 6
    for name, line in (("schema_template.sql", "ALTER TABLE tasks ADD COLUMN estimate integer;\n"), ("data/tasks.csv", "A,B,lost,9,2025-01-01\n")):
        with (made / name).open("a", encoding="utf-8") as file:
            file.write(line)
    before = state()
    checked = tenancy("pack", "check", made, "--json")
    assert (checked.code, state()) == (1, before)
    assert {finding["rule"] for finding in checked.json["findings"]} == {"revisions", "one_of", "range"}
    assert tenancy("--pack", made, "validate", "--pack-only").code == 1
    (made / "pack.json").write_text(json.dumps({"name": "x"}), encoding="utf-8")
    assert tenancy("pack", "check", made).code == 6


def test_the_data_is_made_as_its_readme_says(tenancy, made, tmp_path):
    pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")
    words = next(line for line in (made / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `data/`")).split("`")[3].split()
    assert words[:3] == ["tenancy", "pack", "generate"]
    shutil.rmtree(made / "data")
    places = {".": made, "data": made / "data"}
    assert tenancy(*(places.get(word, word) for word in words[1:])).code == 0
    assert tenancy("pack", "check", made).code == 0


def test_rows_of_several_tenants(tenancy, made):
    file = made / "schema_template.row.sql"
    assert (tenancy("pack", "rowify", made, "--check").code, file.exists()) == (1, False)
    done = tenancy("pack", "rowify", made, "--json")
    assert (done.code, done.json) == (0, {"file": str(file), "changed": True, "written": True})
    assert 'PRIMARY KEY ("tenant_id", ' in file.read_text(encoding="utf-8")
    assert tenancy("pack", "rowify", made, "--check").code == 0
    assert tenancy("pack", "rowify", made, "--json").json["changed"] is False
    script = made / "schema_template.sql"
    script.write_text(script.read_text(encoding="utf-8") + "CREATE TABLE more (a integer UNIQUE);", encoding="utf-8")
    assert tenancy("pack", "rowify", made, "--check", "--json").json == {"file": str(file), "changed": True, "written": False}
    script.write_text("CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;", encoding="utf-8")
    refused = tenancy("pack", "rowify", made)
    assert refused.code == 6
    assert "materialised view m" in refused.err


def test_a_pack_of_a_schema_that_is_there(tenancy, look, tmp_path):
    assert tenancy("tenant", "create", "Model").code == 0
    (schema,) = look("SELECT namespace::text FROM tenancy.tenants")[0]
    target = tmp_path / "copied"
    done = tenancy("pack", "from-database", schema, "--to", target)
    assert done.code == 0, done.err
    assert done.out.startswith(f"The pack 'copied' is in {target}: ")
    assert "it is empty" in done.out
    assert done.err.endswith(f"tenancy pack check {target}\n")
    assert tenancy("pack", "check", target).code == 0
    again = tenancy("pack", "from-database", schema, "--to", target)
    assert (again.code, again.out) == (5, "")
    told = tenancy("pack", "from-database", schema, "--to", tmp_path / "other", "--name", "mine", "--json").json
    assert (told["pack"], told["schema"], told["data"]) == ("mine", schema, [])
    assert tenancy("pack", "from-database", "nobody", "--to", tmp_path / "none").code == 3
    assert tenancy("pack", "from-database", schema, "--to", tmp_path / "none", "--name", "Not a name").code == 2
    assert not (tmp_path / "none").exists()
