"""Local servers that speak what somebody else's do: files over HTTP, and as much of S3 as reading needs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Union
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Answer = Union[bytes, int, Callable[["Handler"], None]]


class Handler(BaseHTTPRequestHandler):
    """Answers with what its server has at the path: bytes, the number of an error, or whatever a function does."""

    protocol_version = "HTTP/1.1"
    server: Web

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if "list-type" in query:
            self.send(self.server.listing(unquote(parts.path).strip("/"), query.get("prefix", [""])[0]))
            return
        answer = self.server.files.get(unquote(parts.path), 404)
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send(b"<why>Zq7-canary-value</why>", answer)
        else:
            self.send(answer)

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        named = {"Content-Length": str(len(body)), "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT", "ETag": '"one"'}
        for name, value in {**named, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Web(ThreadingHTTPServer):
    """Files by path; ``asked`` is what was asked for, with the headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def listing(self, bucket: str, prefix: str) -> bytes:
        """ListObjectsV2 with the delimiter /."""
        keys = [path.split("/", 2)[2] for path in sorted(self.files) if path.startswith(f"/{bucket}/{prefix}")]
        own = [key for key in keys if "/" not in key[len(prefix) :]]
        below = sorted({prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys if "/" in key[len(prefix) :]})
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2022-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>1</Size></Contents>"
            for key in own
        )
        found += "".join(f"<CommonPrefixes><Prefix>{escape(item)}</Prefix></CommonPrefixes>" for item in below)
        return f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """A web server on a free port of this machine."""
    with Web() as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.shutdown()
            thread.join()
