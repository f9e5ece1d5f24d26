"""Where records come from, and the digest of what they hold."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from tenancy_fixtures._ingest import content_digest, content_sketch, open_sources, refuse_changed
from tenancy_fixtures.exceptions import SourceEmpty, SourceMalformed, SourceMissing


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_bytes(content)
    return folder


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes in its files")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    for path in (tmp_path / "a.csv", tmp_path):
        with pytest.raises(SourceMissing, match="no regular file"):
            open_sources(path)
    with pytest.raises(SourceMissing, match="no regular file"):
        open_sources(Path("/dev/zero"))


def test_a_file_is_one_source(tmp_path):
    folder = write(tmp_path, one=b"a\n1\n")
    (source,) = open_sources(folder / "one.csv")
    assert (source.name, source.size) == ("one.csv", 4)


def test_a_folder_gives_its_data_files_by_name_and_nothing_else(tmp_path):
    folder = write(tmp_path, b=b"a\n1\n", a=b"a\n2\n")
    (folder / "C.CSV").write_bytes(b"a\n3\n")
    for other in ("notes.md", ".hidden.csv", "README", "book.xlsx"):
        (folder / other).write_bytes(b"x")
    write(folder / "inner.csv", deep=b"a\n1\n")
    assert [source.name for source in open_sources(folder)] == ["C.CSV", "a.csv", "b.csv"]


def test_a_glob_gives_what_it_matches_with_folders_where_names_are_equal(tmp_path):
    write(tmp_path / "x", one=b"a\n1\n")
    write(tmp_path / "y", one=b"a\n2\n", two=b"a\n3\n")
    assert [source.name for source in open_sources(tmp_path / "y" / "t*.csv")] == ["two.csv"]
    assert [Path(source.name).parent.name for source in open_sources(tmp_path / "*" / "one.csv")] == ["x", "y"]


def test_a_name_that_looks_like_a_glob_but_is_there_is_a_file(tmp_path):
    (tmp_path / "a[1].csv").write_bytes(b"a\n1\n")
    assert [source.name for source in open_sources(tmp_path / "a[1].csv")] == ["a[1].csv"]


@pytest.mark.parametrize("name", ["nothing.csv", "nothing*.csv", "empty_folder", "broken.csv"])
def test_what_is_not_there_is_named(tmp_path, name):
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "broken.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(SourceMissing) as caught:
        open_sources(tmp_path / name)
    assert name in caught.value.source


def test_a_folder_of_folders_says_how_to_reach_what_is_in_them(tmp_path):
    write(tmp_path / "one", inner=b"a\n1\n")
    with pytest.raises(SourceMissing) as caught:
        open_sources(tmp_path)
    assert caught.value.hint == f"Folders in it are left alone: '{tmp_path}/**/*' is a glob for all that is in them."
    assert [source.name for source in open_sources(tmp_path / "**" / "*")] == ["inner.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_right_to_read(tmp_path):
    folder = write(tmp_path, one=b"a\n1\n")
    (folder / "one.csv").chmod(0)
    with pytest.raises(SourceMissing, match="Permission denied"):
        open_sources(folder)


def test_a_file_of_no_bytes(tmp_path):
    with pytest.raises(SourceEmpty) as caught:
        open_sources(write(tmp_path, one=b"a\n1\n", two=b""))
    assert caught.value.source == "two.csv"


def test_moved_and_touched_copies_have_the_digest_of_the_original(tmp_path):
    folder = write(tmp_path / "here", a=b"a\n1\n", b=b"a\n2\n")
    before = content_digest(open_sources(folder))
    moved = shutil.move(str(folder), str(tmp_path / "there"))
    os.utime(Path(moved) / "a.csv", (1, 1))
    assert content_digest(open_sources(Path(moved))) == before
    (Path(moved) / "a.csv").write_bytes(b"a\n9\n")
    assert content_digest(open_sources(Path(moved))) != before


def test_bytes_moved_to_the_neighbour_change_the_digest(tmp_path):
    first = content_digest(open_sources(write(tmp_path / "x", a=b"abc", b=b"de")))
    assert content_digest(open_sources(write(tmp_path / "y", a=b"ab", b=b"cde"))) != first


def test_a_file_that_went_away_before_its_digest(tmp_path):
    sources = open_sources(write(tmp_path, one=b"a\n1\n"))
    sources[0].path.unlink()
    with pytest.raises(SourceMissing):
        content_digest(sources)


@pytest.mark.parametrize(("place", "tells"), [(0, True), (150_000, False), (299_999, True)])
def test_a_sketch_sees_both_ends_of_a_file(tmp_path, place, tells):
    content = bytearray(b"a" * 300_000)
    sketch = content_sketch(open_sources(write(tmp_path / "x", one=bytes(content))))
    content[place] += 1
    assert (content_sketch(open_sources(write(tmp_path / "y", one=bytes(content)))) != sketch) == tells
    assert content_sketch(open_sources(write(tmp_path / "z", one=bytes(300_001)))) != sketch


def test_a_sketch_is_of_the_content_alone(tmp_path):
    folder = write(tmp_path / "here", a=b"a\n1\n", b=b"a\n22\n")
    before = content_sketch(open_sources(folder))
    os.utime(folder / "a.csv", (1, 1))
    assert content_sketch(open_sources(Path(shutil.move(str(folder), str(tmp_path / "there"))))) == before
    assert content_sketch(open_sources(write(tmp_path / "other", a=b"a\n1\na", b=b"\n22\n"))) != before


def test_what_is_packed_has_no_sketch(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n1\n"))
    assert content_sketch(open_sources(tmp_path)) is None


def test_a_file_that_went_away_before_its_sketch(tmp_path):
    sources = open_sources(write(tmp_path, one=b"a\n1\n"))
    sources[0].path.unlink()
    with pytest.raises(SourceMissing):
        content_sketch(sources)


def test_a_source_that_changes_while_it_is_read_is_noticed(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("name\none\n")
    sources = open_sources(file)
    refuse_changed(sources)
    file.write_text("name\ntwo\n")
    later = sources[0].modified_ns + 1_000_000_000
    os.utime(file, ns=(later, later))
    with pytest.raises(SourceMalformed) as caught:
        refuse_changed(sources)
    assert caught.value.source == "a.csv"
    file.unlink()
    with pytest.raises(SourceMissing):
        refuse_changed(sources)
