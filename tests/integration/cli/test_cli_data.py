"""Data on the command line: loads, checks, revisions."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from .support import HEAD

EXAMPLES = Path(__file__).parents[3] / "examples"
TRACKS, NOTES = EXAMPLES / "catalogue" / "tracks.csv", EXAMPLES / "notes-pack"


def spoil(path):
    path.write_text(path.read_text(encoding="utf-8").replace(",20,", ",2000,"), encoding="utf-8")


def test_a_load_in_json_is_its_report_and_the_sums(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    first = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    sums = ("read", "stored", "duplicates", "rejects", "lost", "written", "inserted", "updated")
    assert [first[name] for name in sums] == [2, 2, 0, 0, 0, 2, 2, 0]
    assert (first["tenant_id"], first["state"], len(first["datasets"])) == ("acme", "succeeded", 1)
    again = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    assert [again[name] for name in sums] == [2, 2, 0, 0, 0, 0, 0, 0]
    artists.write_text(artists.read_text(encoding="utf-8").replace("Bob,,{},20", "Bob,,{},21"), encoding="utf-8")
    edited = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    assert [edited[name] for name in sums] == [2, 2, 0, 0, 0, 1, 0, 1]
    assert look("SELECT popularity FROM t_acme.artists WHERE name = 'Bob'") == [(21,)]


def test_a_load_is_told_in_words(tenancy, artists):
    tenancy("tenant", "create", "acme")
    done = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2].split() == ["artists", "2", "2", "0", "0", "2", "0"]
    assert "acme: 2 rows written in " in done.out
    assert "Phase" not in done.out
    again = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert "Same content as before, no work: artists.\n" in again.out
    assert "read artists" in tenancy("load", "acme", "--dataset", "artists", "--phases").out


def test_what_is_left_out_is_told_before_and_after(tenancy, tmp_path):
    tenancy("tenant", "create", "acme")
    header, good, *_ = TRACKS.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "tracks.csv"
    path.write_text(f"{header},shoe_size\n{good},44\n{good.replace('0.47', '4.7')},45\n", encoding="utf-8")
    for more in (("--dry-run",), ()):
        done = tenancy("load", "acme", "--dataset", f"tracks={path}", "--on-error", "reject", *more)
        assert "Ignored columns of tracks, which no target reads: shoe_size.\n" in done.out
        assert [line.split()[:4] for line in done.out.splitlines() if "tracks.csv" in line] == [["tracks.csv", "2", "3", "energy"]]


def test_what_was_guessed_is_told(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    text = artists.read_text(encoding="utf-8").replace("Bob", "Zoë").replace(",", ";")
    artists.write_bytes(f"Our artists\n\n{text}".encode("cp1252"))
    notes = [
        f"{artists.name}: {note}"
        for note in ("encoding cp1252, guessed", "delimiter ;, guessed", "the header is line 3; what stands before it is left out")
    ]
    for more in (("--dry-run",), ()):
        done = tenancy("load", "acme", "--dataset", f"artists={artists}", *more)
        assert [line for line in done.out.splitlines() if line.startswith("Note")] == [f"Note on artists: {note}." for note in notes]
    assert look("SELECT count(*) FROM t_acme.artists WHERE name = 'Zoë'") == [(1,)]
    artists.write_bytes(artists.read_bytes().replace(b";20;", b";2000;"))
    assert tenancy("load", "acme", "--dataset", f"artists={artists}", "--on-error", "reject", "--json").json["datasets"][0]["notes"] == notes
    failed = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json")
    assert (failed.code, failed.json["notes"], [item["line"] for item in failed.json["rejects"]]) == (6, notes, [5])
    assert "".join(f"  note: {note}\n" for note in notes) in tenancy("load", "acme", "--dataset", f"artists={artists}").err


def test_bad_records_are_6_and_listed_without_their_values(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    spoil(artists)
    done = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert (done.code, done.out) == (6, "")
    assert "artists.csv" in done.err
    assert "popularity" in done.err
    assert "2000" not in done.err
    assert "  hint: Nothing was loaded. Mend the records, or load with --on-error reject to leave them out.\n" in done.err
    assert look("SELECT count(*) FROM t_acme.artists") == [(0,)]
    failure = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json")
    assert failure.code == 6
    assert [(item["record"], item["column"]) for item in failure.json["rejects"]] == [(2, "popularity")]


def test_bad_records_can_be_left_out(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    spoil(artists)
    done = tenancy("load", "acme", "--dataset", f"artists={artists}", "--on-error", "reject", "--json")
    assert (done.code, done.json["read"], done.json["stored"], done.json["rejects"]) == (0, 2, 1, 1)
    assert look("SELECT name FROM t_acme.artists") == [("Ada",)]


def test_what_cannot_be_loaded(tenancy, look):
    tenancy("tenant", "create", "acme")
    for words, code in (
        ("--dataset nothing", 4),
        ("--dataset artists=/no/such.csv", 6),
        ("--dataset artists=", 2),
        ("--dataset =x", 2),
        ("--dataset artists --dataset artists=x", 2),
        ("--on-error ignore", 2),
    ):
        done = tenancy("load", "acme", *words.split(), "--json")
        assert (done.code, done.json["exit_code"]) == (code, code), words
    assert look("SELECT count(*) FROM tenancy.ledger") == [(0,)]


def test_the_demo_twice(tenancy):
    first = tenancy("demo", "--json").json
    assert [(item["tenant_id"], item["tier"], item["created"]) for item in first["tenants"]] == [
        ("demo_standard", "standard", True),
        ("demo_premium", "premium", True),
    ]
    assert first["written"] == sum(item["load"]["written"] for item in first["tenants"]) > 2 * 60_000
    again = tenancy("demo")
    assert (again.code, again.err) == (0, "")
    assert "0 rows changed in " in again.out
    assert tenancy("demo", "--json").json["written"] == 0


def test_validate_one_all_or_the_pack(tenancy):
    for name in ("a", "b"):
        tenancy("tenant", "create", name)
    assert [(item["subject"], item["ok"]) for item in tenancy("validate", "a", "--json").lines] == [("a", True)]
    assert [item["subject"] for item in tenancy("validate", "--json").lines] == ["spotify-agent", "a", "b"]
    only = tenancy("validate", "--pack-only")
    assert only.code == 0
    assert only.out.startswith("spotify-agent: ")
    assert tenancy("validate", "a", "--pack-only").code == 2


def test_findings_that_are_errors_are_1(tenancy, admin_database_url):
    tenancy("tenant", "create", "acme")
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("DROP TABLE t_acme.audio_features CASCADE")
    done = tenancy("validate", "acme")
    assert (done.code, done.err) == (1, "")
    assert "audio_features" in done.out
    report = tenancy("validate", "acme", "--json")
    assert (report.code, report.json["ok"]) == (1, False)
    assert any(item["object"] == "audio_features" and item["severity"] == "error" for item in report.json["findings"])


def test_migrate_all_to_the_head(tenancy, longer_pack):
    for name in ("a", "b"):
        tenancy("tenant", "create", name)
    plan = tenancy("migrate", "--all", "--dry-run", "--pack", longer_pack)
    assert plan.out.count(f"migrate {HEAD + 1:04d}_more") == 2
    done = tenancy("migrate", "--all", "--pack", longer_pack, "--json")
    assert (done.code, [line["tenant_id"] for line in done.lines]) == (0, ["a", "b"])
    assert [item["revision"] for item in tenancy("tenant", "list", "--json").lines] == [HEAD + 1] * 2
    assert tenancy("migrate", "a", "--pack", longer_pack).out.startswith("a: nothing to do")


def test_tenants_of_other_packs_are_passed_over_and_counted(tenancy):
    tenancy("tenant", "create", "a")
    for name in ("n1", "n2"):
        tenancy("tenant", "create", name, "--pack", NOTES)
    for command in (("migrate", "--all"), ("validate",)):
        for words, ours, others in (
            ((), ["a"], "2 tenants of other packs: notes"),
            (("--pack", NOTES), ["n1", "n2"], "1 tenant of other packs: spotify-agent"),
        ):
            done = tenancy(*command, *words, "--json")
            assert (done.code, done.err) == (0, f"Skipped {others}. Name theirs with --pack.\n")
            assert [line.get("tenant_id") or line["subject"] for line in done.lines][-len(ours) :] == ours
            assert len(done.lines) == len(ours) + (command == ("validate",))
    assert tenancy("migrate", "n1").code == 6


def test_one_tenant_that_cannot_be_migrated_does_not_stop_the_others(tenancy, longer_pack, admin_database_url):
    for name in ("a", "b", "c"):
        tenancy("tenant", "create", name)
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("ALTER TABLE t_b.artists ADD COLUMN more text")
    done = tenancy("migrate", "--all", "--pack", longer_pack, "--json")
    assert done.code == 6
    assert [line.get("error") for line in done.lines] == [None, "ScriptFailed", None]
    assert done.lines[1]["tenant"] == "b"
    assert [item["revision"] for item in tenancy("tenant", "list", "--json").lines] == [HEAD + 1, HEAD, HEAD + 1]


def test_migrate_wants_to_know_whom(tenancy):
    for words in ("", "a --all", "--all --to -1"):
        assert tenancy("migrate", *words.split()).code == 2, words


def test_files_say_what_they_are(tenancy, look, tmp_path):
    history = [{"endTime": "2025-01-05 08:12", "artistName": "Ada", "trackName": "Low Tide", "msPlayed": 5}]
    (tmp_path / "one.json").write_text(json.dumps(history), encoding="utf-8")
    (tmp_path / "two.json").write_text('{"strange": "SECRET"}', encoding="utf-8")
    shown = tenancy("detect", tmp_path, "--json")
    assert (shown.code, [line["shape"] for line in shown.lines]) == (1, ["spotify-streaming-history-by-name", None])
    told = tenancy("detect", tmp_path / "two.json")
    assert told.out.startswith("two.json: of no kind that is known\n  it is json with strange\n  and of none of ")
    assert "\n  not spotify-web-api: " in tenancy("detect", "--why", tmp_path / "two.json").out
    (tmp_path / "near.csv").write_text("Track Name,Singer\nA,B\n", encoding="utf-8")
    assert "\n  not spotify-tracks: it has no artist or artist_name or " in tenancy("detect", tmp_path / "near.csv").out
    assert "SECRET" not in told.out + shown.out
    assert (tenancy("detect", tmp_path / "one.json").code, tenancy("detect", tmp_path / "none.json").code) == (0, 6)

    tenancy("tenant", "create", "acme")
    assert tenancy("load", "acme", "--file", tmp_path).code == 6
    report = tenancy("load", "acme", "--file", tmp_path / "one.json", "--given", "user=ada", "--json").json
    assert (report["read"], report["stored"], report["written"]) == (1, 1, 4)
    assert look("SELECT handle FROM t_acme.users") == [("ada",)]


def test_files_of_which_nothing_is_loaded_are_told(tenancy, tmp_path):
    tenancy("tenant", "create", "acme")
    (tmp_path / "devices.json").write_text('{"devices": [{"id": "x", "is_active": true, "volume_percent": 5}]}', encoding="utf-8")
    for number in range(10):
        (tmp_path / f"user-{number}.json").write_text(f'{{"id": "u{number}", "uri": "spotify:user:u{number}"}}', encoding="utf-8")
    told = tenancy("load", "acme", "--file", tmp_path)
    assert told.code == 0
    assert "Nothing is loaded of devices.json: devices are not kept.\n" in told.out
    names = ", ".join(f"user-{number}.json" for number in range(8))
    assert f"Nothing is loaded of {names} and 2 more: it holds no record that is kept.\n" in told.out
    assert "  skip user-9.json (reason it holds no record that is kept)\n" in tenancy("load", "acme", "--file", tmp_path, "--dry-run").out


def test_files_and_datasets_do_not_go_together(tenancy, artists):
    for words in (("--file", artists, "--dataset", "artists"), ("--given", "user=ada"), ("--file", artists, "--given", "user")):
        assert tenancy("load", "acme", *words).code == 2
