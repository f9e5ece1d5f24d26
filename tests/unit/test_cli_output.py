"""What a person and a script get to read, whatever goes wrong."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import pytest
import typer

import tenancy_fixtures
from tenancy_fixtures._shapes import DatasetReport, Phase, Reject, RunReport, RunState, TableReport
from tenancy_fixtures.cli import _output
from tenancy_fixtures.cli._guard import guarded
from tenancy_fixtures.cli._reports import show_load, sums
from tenancy_fixtures.cli._work import pairs
from tenancy_fixtures.exceptions import DataRejected, TenantNotFound

SOURCES = str(Path(tenancy_fixtures.__file__).resolve().parents[1])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def failing(error):
    """The command line's guard around a command that only fails."""
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    def fail(as_json: bool = typer.Option(False, "--json")):
        raise error

    return lambda *arguments: guarded(typer.main.get_command(app), arguments)


def test_an_error_says_what_to_whom_where_and_what_to_do(capsys):
    error = TenantNotFound("no tenant 'x'", tenant="x", step="data: apply", hint="Make it.")
    assert failing(error)() == 4
    assert capsys.readouterr() == ("", "Error: no tenant 'x'\n  tenant: x\n  step: data: apply\n  hint: Make it.\n")


def test_an_error_in_json_is_one_object_on_stdout(capsys):
    assert failing(TenantNotFound("no tenant 'x'", tenant="x", step="data: apply"))("--json") == 4
    out, err = capsys.readouterr()
    expected = {"error": "TenantNotFound", "message": "no tenant 'x'", "tenant": "x", "step": "data: apply", "exit_code": 4}
    assert (json.loads(out), err) == (expected, "")


def rejects(number):
    return tuple(Reject(f"file{place}.csv", place, "range", "popularity", "is not between 0 and 100") for place in range(1, number + 1))


def test_rejects_are_a_short_table_for_people_and_complete_in_json(capsys):
    fail = failing(DataRejected("30 records broke the rules", rejects=rejects(30), count=30))
    assert fail() == 6
    text = capsys.readouterr().err
    assert "Source" in text
    assert "file20.csv" in text
    assert "file21.csv" not in text
    assert text.endswith("… and 10 more; --json lists all.\n")
    assert fail("--json") == 6
    assert len(json.loads(capsys.readouterr().out)["rejects"]) == 30


@pytest.mark.parametrize(
    ("listed", "count", "said"),
    [
        (1000, 1500, ["… and 1,480 more; --json lists the first 1,000."]),
        (21, 21, ["… and 1 more; --json lists all."]),
        (3, 5, ["… and 2 more."]),
        (20, 20, []),
        (0, 5, []),
    ],
)
def test_a_list_that_is_cut_says_how_many_more_there_are(listed, count, said, capsys):
    failing(DataRejected("x", rejects=rejects(listed), count=count))()
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("…")] == said
    dataset = DatasetReport("a", "d", rejects=count, listed_rejects=rejects(listed))
    show_load(RunReport(UUID(int=1), "acme", "load_fixtures", RunState.SUCCEEDED, datasets=(dataset,)))
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("…")] == said


def test_an_unexpected_error_keeps_its_words_to_itself(capsys, monkeypatch):
    fail = failing(ValueError("birth_date of Jane Doe"))
    assert fail() == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "ValueError" in err
    assert "TENANCY_DEBUG=1" in err
    assert "Jane" not in err
    monkeypatch.setenv("TENANCY_DEBUG", "1")
    fail()
    assert "Traceback" in capsys.readouterr().err


def test_the_operating_systems_words_are_told(capsys):
    assert failing(OSError(28, "No space left on device", "/secret/path"))() == 1
    assert capsys.readouterr().err.startswith("Error: unexpected OSError: No space left on device. ")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_an_interrupt_is_130(arguments, capsys):
    assert failing(KeyboardInterrupt())(*arguments) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_usage_errors_are_json_too(capsys):
    assert failing(ValueError())("--json", "--frob") == 2
    assert json.loads(capsys.readouterr().out)["error"] == "UsageError"
    assert failing(ValueError())("--frob") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--frob" in err


def test_names_cannot_steer_the_terminal(capsys):
    _output.note("a\x1b]0;evil\x07b\rc\x9b2J")
    _output.table(("A\x1b[31m",), [("\x1b[31mred",)], stream=sys.stderr)
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"a\x1b]0;evil\x07b\x0dc\x9b2J" in err
    assert r"\x1b[31mred" in err


def test_markup_in_a_name_is_only_text(capsys):
    _output.table(("Name",), [("[bold]x[/bold] :smile:",)])
    assert "[bold]x[/bold] :smile:" in capsys.readouterr().out


def test_a_table_in_a_pipe_is_neither_cut_nor_wrapped_nor_coloured(capsys):
    _output.table(("Name", "N"), [("x" * 500, 1234567)])
    out = capsys.readouterr().out
    assert "x" * 500 + "  1,234,567\n" in out
    assert "\x1b" not in out


def test_colours_only_where_they_are_wanted(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    _output.table(("Name",), [("x",)], stream=(lively := Terminal()))
    monkeypatch.setenv("NO_COLOR", "1")
    _output.table(("Name",), [("x",)], stream=(sober := Terminal()))
    assert "\x1b[" in lively.getvalue()
    assert "\x1b[" not in sober.getvalue()


def test_a_reader_that_leaves_does_not_change_the_exit_code():
    program = (
        "import sys; from tenancy_fixtures.cli import _output; sys.stdin.read(1); [_output.emit({'n': 'x' * 1000}) for _ in range(1000)]; sys.exit(5)"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, **pipes) as process:
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        (
            ["alias", "{folder}"],
            8,
            ["17 files", "Error: The work is done and stays done, but standard output could not be written: No space left on device"],
        ),
        (["--version"], 8, ["Error: The work is done and stays done, but standard output could not be written: No space left on device"]),
        # What went wrong is told in words where nobody gets the JSON, and keeps its code.
        (
            ["tenant", "show", "a b", "--json"],
            2,
            ["Error: ", "  tenant: ", "  hint: ", "Error: Besides, standard output could not be written: No space left on device"],
        ),
    ],
)
def test_a_full_disk_behind_stdout_is_told(tmp_path, arguments, code, lines):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tenancy_fixtures", *(word.format(folder=tmp_path) for word in arguments)],
            stdout=full, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": SOURCES}, check=False,
        )  # fmt: skip
    assert done.returncode == code
    said = done.stderr.splitlines()
    assert len(said) == len(lines)
    assert all(line.startswith(start) for line, start in zip(said, lines)), said
    if "alias" in arguments:
        assert (tmp_path / "tenancy" / "fixtures").is_dir()


def report():
    first = DatasetReport("a", "d", read=10, stored=7, duplicates=2, rejects=1, tables=(TableReport("a", 5, 1, 1), TableReport("b", 3, 0, 0)))
    again = DatasetReport("c", "d", read=4, stored=4, skipped=True, tables=(TableReport("c", 4),))
    return RunReport(UUID(int=1), "acme", "load_fixtures", RunState.SUCCEEDED, datasets=(first, again))


def test_the_sums_count_records_of_all_datasets_and_rows_of_this_run():
    assert sums(report()) == {
        "read": 14,
        "stored": 11,
        "duplicates": 2,
        "rejects": 1,
        "left_out": 0,
        "lost": 0,
        "written": 9,
        "inserted": 8,
        "updated": 1,
        "deleted": 0,
    }


def test_a_load_is_told_dataset_by_dataset(capsys):
    show_load(report())
    out = capsys.readouterr().out.splitlines()
    assert out[2].split() == ["a", "10", "7", "2", "1", "8", "1"]
    assert out[3].split() == ["c", "4", "4", "0", "0", "-", "-"]
    assert out[4] == "Same content as before, no work: c."
    assert out[5].startswith("acme: 9 rows written in ")


def test_columns_that_nothing_reads_are_told(capsys):
    datasets = (
        DatasetReport("a", "d", ignored_columns=("shoe_size", "hat")),
        DatasetReport("b", "d", ignored_columns=("known",), skipped=True),
        DatasetReport("c", "d"),
    )
    show_load(RunReport(UUID(int=1), "acme", "load_fixtures", RunState.SUCCEEDED, datasets=datasets))
    told = [line for line in capsys.readouterr().out.splitlines() if "gnored" in line]
    assert told == ["Ignored columns of a, which no target reads: shoe_size, hat."]


@pytest.mark.parametrize(("seconds", "asked", "shown"), [(1.0, False, False), (1.0, True, True), (5.1, False, True)])
def test_phases_are_shown_where_they_are_asked_for_or_took_long(seconds, asked, shown, capsys):
    slow = RunReport(UUID(int=1), "acme", "load_fixtures", RunState.SUCCEEDED, phases=(Phase("read a", seconds, 10),), seconds=seconds)
    show_load(slow, phases=asked)
    assert ("read a" in capsys.readouterr().out) is shown


def test_one_is_not_many():
    assert [_output.counted(number, "row") for number in (0, 1, 2, 2000)] == ["0 rows", "1 row", "2 rows", "2,000 rows"]


def test_times_have_one_form_and_one_zone():
    expected = "2025-01-31 22:30:05"
    assert _output.moment("2025-02-01T07:30:05.123456+09:00") == expected
    assert _output.moment(datetime(2025, 1, 31, 22, 30, 5, 999999, tzinfo=timezone.utc)) == expected


@pytest.mark.parametrize("values", [["x"], ["=1"], ["a=1", "a=2"]])
def test_pairs_that_are_none_are_refused(values):
    with pytest.raises(typer.BadParameter):
        pairs(values, "--label")


def test_pairs_keep_what_follows_the_first_sign():
    assert pairs(["a=b=c", "d="], "--label") == {"a": "b=c", "d": ""}
