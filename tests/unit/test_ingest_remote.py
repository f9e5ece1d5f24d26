"""Sources on web servers and in object stores: real local servers, and no secret in anything that is said."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
import traceback

import pytest

from tenancy_fixtures._ingest import SourceLimits, Spool, content_digest, open_sources
from tenancy_fixtures._ingest._remote import public_name
from tenancy_fixtures.exceptions import MissingExtra, SourceEmpty, SourceError, SourceMalformed, SourceMissing, SourceTooLarge
from tests.packing import tarred, zipped, zstd_compressed
from tests.servers import Handler, Web, serving

SECRET = "Zq7-canary-value"
CSV = b"name,n\none,1\n"


@pytest.fixture
def web():
    with serving() as server:
        yield server


@pytest.fixture
def bucket(web: Web, monkeypatch):
    """The same server, as S3's environment names it."""
    for name, value in (
        ("ACCESS_KEY_ID", "reader"),
        ("SECRET_ACCESS_KEY", SECRET),
        ("REGION", "eu-west-1"),
        ("ENDPOINT_URL", web.url),
        ("ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    return web


def refuse(kind: type[SourceError], words: str, url: str, **limits: int) -> SourceError:
    """The URL must be refused in these words, and no secret may come out, wherever one looks."""
    with Spool(SourceLimits(**limits)) as spool, pytest.raises(SourceError, match=words) as caught:
        content_digest(open_sources(url, spool=spool))
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.hint
    assert "?" not in error.source
    said = ["".join(traceback.format_exception(type(error), error, error.__traceback__)), str(error), json.dumps(error.to_dict())]
    assert not [text for text in said if SECRET in text]
    return error


def held(source) -> bytes:
    with source.open() as stream:
        return stream.read()


def test_a_file_of_a_web_server(web):
    web.files["/data/tracks.csv"] = CSV
    with open_sources(f"{web.url}/data/tracks.csv") as sources:
        (source,) = sources
        assert (source.name, source.size, source.path) == (f"{web.url}/data/tracks.csv", len(CSV), None)
        assert held(source) == held(source) == CSV
        # It was fetched once, whatever is read how often.
        assert [path for path, _ in web.asked] == ["/data/tracks.csv"]


def test_a_large_one_comes_in_pieces(web):
    content = bytes(range(256)) * 100_000
    web.files["/big.csv"] = content
    with open_sources(f"{web.url}/big.csv") as (source,):
        assert held(source) == content


@pytest.mark.parametrize(
    ("path", "names"), [("all.zip", ["all.zip/a.csv", "all.zip/b.csv"]), ("all.tar.zst", ["all.tar.zst/a.csv", "all.tar.zst/b.csv"])]
)
def test_archives_come_from_there_too(web, path, names):
    files = {"b.csv": CSV, "a.csv": CSV}
    web.files[f"/{path}"] = zipped(files) if path.endswith("zip") else zstd_compressed(tarred(files))
    with open_sources(f"{web.url}/{path}") as sources:
        assert [source.name for source in sources] == [f"{web.url}/{name}" for name in names]
        assert [held(source) for source in sources] == [CSV, CSV]


def test_what_signs_a_url_reaches_the_server_and_nobody_else(web):
    web.files["/a b/ü.csv"] = CSV
    address = web.url.replace("http://", f"http://reader:{SECRET}%40@")
    with open_sources(f"{address}/a%20b/ü.csv?signature={SECRET}%2F&x=1#part") as (source,):
        assert source.name == f"{web.url}/a%20b/ü.csv"
        assert held(source) == CSV
    path, headers = web.asked[0]
    assert path == f"/a%20b/%C3%BC.csv?signature={SECRET}%2F&x=1"
    given = {name.lower(): value for name, value in headers.items()}["authorization"]
    assert base64.b64decode(given.partition(" ")[2]).decode() == f"reader:{SECRET}@"


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "is not there"), (410, "is not there"), (401, "denied"), (403, "denied"), (418, "answered 418"), (503, "answered 503")],
)
def test_what_the_server_says(web, status, words):
    web.files["/x.csv"] = status
    error = refuse(SourceMissing, words, f"{web.url.replace('//', f'//u:{SECRET}@')}/x.csv?key={SECRET}")
    assert error.source == f"{web.url}/x.csv"


def test_a_redirection_is_followed(web):
    def elsewhere(handler: Handler) -> None:
        handler.send(b"", 302, Location="/x.csv")

    web.files.update({"/old.csv": elsewhere, "/x.csv": CSV})
    with open_sources(f"{web.url}/old.csv") as (source,):
        assert held(source) == CSV


def test_a_redirection_to_another_host_takes_no_password_along(web):
    web.files["/old.csv"] = lambda handler: handler.send(b"", 302, Location=f"http://localhost:{web.server_port}/x.csv")
    web.files["/x.csv"] = CSV
    with open_sources(f"{web.url.replace('//', '//reader:secret@')}/old.csv") as (source,):
        assert held(source) == CSV
    given = [{name.lower() for name in headers} for _, headers in web.asked]
    assert ["authorization" in names for names in given] == [True, False]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for(web, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    web.files["/x.csv"] = CSV
    refuse(SourceMissing, "does not speak TLS as it should", f"{web.url.replace('http:', 'https:')}/x.csv?key={SECRET}")
    assert web.asked == []


def test_no_such_host_no_such_port_no_tls(web):
    refuse(SourceMissing, "nobody knows the address", f"https://no-such-host.invalid/x.csv?key={SECRET}")
    refuse(SourceMissing, "cannot be reached", f"http://127.0.0.1:1/x.csv?key={SECRET}")
    refuse(SourceMissing, "does not speak TLS", f"{web.url.replace('http:', 'https:')}/x.csv?key={SECRET}")


def test_a_connection_that_is_lost(web):
    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.send_header("Last-Modified", "Sat, 01 Jan 2022 00:00:00 GMT")
        handler.end_headers()
        handler.wfile.write(b"x" * 500)
        handler.close_connection = True

    web.files["/x.csv"] = cut
    refuse(SourceMissing, "connection was lost", f"{web.url}/x.csv?key={SECRET}")


def test_a_server_that_does_not_say_how_long_it_is(web):
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"4\r\nx\n1\n\r\n0\r\n\r\n")

    web.files["/x.csv"] = chunked
    error = refuse(SourceMissing, "does not say how long", f"{web.url}/x.csv")
    assert "NAME=-" in error.hint


def test_an_empty_one_and_one_that_is_too_large(web):
    web.files.update({"/empty.csv": b"", "/x.csv": CSV, "/a.csv.gz": CSV})
    refuse(SourceEmpty, "is empty", f"{web.url}/empty.csv")
    refuse(SourceTooLarge, "more than 10 bytes", f"{web.url}/x.csv", source_bytes=10)
    refuse(SourceMalformed, "no gzip", f"{web.url}/a.csv.gz?key={SECRET}")


def test_http_from_elsewhere_needs_a_setting():
    refuse(SourceMissing, "unprotected", f"http://example.invalid/x.csv?key={SECRET}")
    refuse(SourceMissing, "nobody knows the address", "http://example.invalid/x.csv", plain_http=True)
    for host in ("localhost", "127.1.2.3", "[::1]"):
        refuse(SourceMissing, "cannot be reached", f"http://{host}:1/x.csv")


@pytest.mark.parametrize(
    "url", ["https://", "https:///x", "https://[/x.csv", "https://host:port/x", f"http://{SECRET}:a:b@/", "s3://", "https://ho st/x"]
)
def test_urls_that_are_none(url):
    refuse(SourceMissing, "cannot be reached by that URL|no file|unprotected|cannot be had|nobody knows", f"{url}?key={SECRET}")


def test_a_folder_of_a_web_server_and_an_unknown_scheme(web):
    refuse(SourceMissing, "lists none", f"{web.url}/data/?key={SECRET}")
    error = refuse(SourceMissing, "scheme that nobody knows", f"ftp://u:{SECRET}@host/x.csv")
    assert "s3://" in error.hint


def test_a_file_url(tmp_path):
    (tmp_path / "a b.csv").write_bytes(CSV)
    with open_sources(f"file://{tmp_path}/a%20b.csv") as (source,):
        assert (source.name, held(source), source.path) == ("a b.csv", CSV, tmp_path / "a b.csv")
    refuse(SourceMissing, "another machine", f"file://u:{SECRET}@host/x.csv")


def test_an_object(bucket):
    bucket.files["/catalogue/2025/tracks 1.csv"] = CSV
    with open_sources("s3://catalogue/2025/tracks 1.csv") as (source,):
        assert (source.name, held(source)) == ("s3://catalogue/2025/tracks 1.csv", CSV)
    headers = {name.lower(): value for name, value in bucket.asked[0][1].items()}
    assert "Credential=reader/" in headers["authorization"]


def test_a_prefix_is_like_a_folder(bucket):
    for key in ("2025/b.csv", "2025/a.csv.zst", "2025/notes.md", "2025/.hidden.csv", "2025/deep/c.csv", "2024/d.csv"):
        bucket.files[f"/catalogue/{key}"] = zstd_compressed(CSV) if key.endswith("zst") else CSV
    with open_sources("s3://catalogue/2025/") as sources:
        assert [source.name for source in sources] == ["s3://catalogue/2025/a.csv.zst", "s3://catalogue/2025/b.csv"]
        assert [held(source) for source in sources] == [CSV, CSV]
    refuse(SourceMissing, "no data files", "s3://catalogue/2023/")
    refuse(SourceTooLarge, "more than 1 files", "s3://catalogue/2025/", files=1)


def test_an_object_that_is_not_there_or_not_for_us(bucket):
    refuse(SourceMissing, "is not there", "s3://catalogue/x.csv")
    bucket.files["/catalogue/x.csv"] = 403
    refuse(SourceMissing, "denied", "s3://catalogue/x.csv")


def test_object_stores_speak_tls_unless_their_environment_says_otherwise(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    refuse(SourceMissing, "unprotected", "s3://catalogue/x.csv")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://u:p@host:1/a/b.csv?x=1#y", "https://host:1/a/b.csv"),
        ("HTTPS://host/a@b.csv", "https://host/a@b.csv"),
        ("s3://key:secret@bucket/a.csv", "s3://bucket/a.csv"),
        ("abfss://container@account.dfs.core.windows.net/a.csv", "abfss://container@account.dfs.core.windows.net/a.csv"),
        ("https://u:p/w@host/x", "https://host/x"),  # a password that should have been escaped
        ("https://[::1]:8080/a@b.csv", "https://[::1]:8080/a@b.csv"),
    ],
)
def test_names_of_urls(url, name):
    assert public_name(url) == name


def test_a_fetch_is_given_up_with_its_load(web):
    waiting, ended = threading.Event(), threading.Event()

    def slow(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.send_header("Last-Modified", "Sat, 01 Jan 2022 00:00:00 GMT")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)
        handler.wfile.flush()
        waiting.set()
        ended.wait(20)

    web.files["/x.csv"] = slow
    spool, caught = Spool(), []

    def read():
        try:
            open_sources(f"{web.url}/x.csv", spool=spool)
        except SourceMissing as error:
            caught.append(error.message)

    thread = threading.Thread(target=read)
    thread.start()
    assert waiting.wait(10)
    began = time.monotonic()
    spool.close()
    thread.join(10)
    ended.set()
    assert not thread.is_alive()
    assert time.monotonic() - began < 1
    assert "closed" in caught[0]


def test_the_extra_is_named(monkeypatch, web):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtra) as caught:
        open_sources(f"{web.url}/x.csv")
    assert caught.value.extra == "load"
