"""A local server that speaks Spotify's Web API as its published description says, with the faults that the real one has.

What goes wrong is decided by a seed, the path and how often it was asked for: in whatever order requests come, it is the same. The server
notes who was impolite: who asked again before ``Retry-After`` was over.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIENT_ID, CLIENT_SECRET = "c1" * 16, "Zq7-canary-value"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BATCH = {"tracks": 50, "albums": 20, "artists": 50, "episodes": 50, "chapters": 50}
FAULTS = ("429", "429-date", "500", "503", "503-after", "cut", "hang-up", "no-json")


def spotify_id(kind: str, number: int) -> str:
    """Twenty-two signs, the same each time."""
    signs, value = "", random.Random(f"{kind} {number}").getrandbits(131)
    for _ in range(22):
        value, digit = divmod(value, 62)
        signs += _DIGITS[digit]
    return signs


def named(kind: str, number: int) -> dict[str, Any]:
    """What every object has."""
    found = spotify_id(kind, number)
    return {
        "id": found,
        "type": kind,
        "name": f"{kind} {number}",
        "uri": f"spotify:{kind}:{found}",
        "href": f"https://api.spotify.com/v1/{kind}s/{found}",
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{found}"},
    }


def artist(number: int, *, whole: bool = True) -> dict[str, Any]:
    more = {"followers": {"href": None, "total": number}, "genres": ["dub"], "images": [], "popularity": number % 101} if whole else {}
    return {**named("artist", number), **more}


def track(number: int, *, album: bool = True) -> dict[str, Any]:
    on = {"album": simple_album(number // 10), "external_ids": {"isrc": f"FRX76{number:07d}"}, "popularity": number % 101} if album else {}
    return {
        **named("track", number),
        **on,
        "artists": [artist(number // 20, whole=False)],
        "available_markets": ["AD", "AE", "AR", "FR"],
        "disc_number": 1,
        "duration_ms": 180_000 + number,
        "explicit": False,
        "is_local": False,
        "preview_url": None,
        "track_number": number % 10 + 1,
    }


def simple_album(number: int) -> dict[str, Any]:
    return {
        **named("album", number),
        "album_type": "album",
        "artists": [artist(number // 2, whole=False)],
        "available_markets": ["AD", "FR"],
        "images": [],
        "release_date": "2001-05-17",
        "release_date_precision": "day",
        "total_tracks": 10,
    }


@dataclass
class Catalogue:
    """What there is, by the name of its list and its id; ``parts`` are the items of collections, by path."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {name: {} for name in (*_BATCH, "playlists", "shows", "audiobooks")}
    )
    parts: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, value: dict[str, Any]) -> dict[str, Any]:
        self.objects[f"{value['type']}s"][value["id"]] = value
        return value

    def add_tracks(self, numbers: range) -> list[str]:
        return [self.add(track(number))["uri"] for number in numbers]

    def add_album(self, number: int, tracks: range) -> str:
        value = self.add(
            {
                **simple_album(number),
                "label": "Label",
                "popularity": 3,
                "external_ids": {},
                "copyrights": [],
                "genres": [],
                "total_tracks": len(tracks),
            }
        )
        self.parts[f"/v1/albums/{value['id']}/tracks"] = [track(item, album=False) for item in tracks]
        return value["uri"]

    def add_playlist(self, number: int, tracks: range) -> str:
        owner = {
            "id": "listener",
            "type": "user",
            "uri": "spotify:user:listener",
            "href": "https://api.spotify.com/v1/users/listener",
            "display_name": "L",
        }
        value = self.add(
            {**named("playlist", number), "collaborative": False, "description": "", "public": True, "owner": owner, "snapshot_id": "s", "images": []}
        )
        self.parts[f"/v1/playlists/{value['id']}/tracks"] = [
            {"added_at": "2024-05-01T10:00:00Z", "added_by": {"id": "listener", "type": "user"}, "is_local": False, "track": track(item)}
            for item in tracks
        ]
        return value["uri"]

    def add_albums_of(self, number: int, albums: range) -> str:
        value = self.add(artist(number))
        self.parts[f"/v1/artists/{value['id']}/albums"] = [{**simple_album(item), "album_group": "album"} for item in albums]
        return f"{value['uri']}/albums"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SpotifyApi
    timeout = 30

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.arrived("token", self)
        if self.server.fails("token", self):
            return
        known = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if self.path != "/api/token" or parse_qs(body.decode()) != {"grant_type": ["client_credentials"]}:
            self.answer({"error": "unsupported_grant_type"}, 400)
        elif self.headers.get("Authorization") != known:
            self.answer({"error": "invalid_client", "error_description": "Invalid client"}, 400)
        else:
            self.answer({"access_token": self.server.new_token(), "token_type": "Bearer", "expires_in": self.server.token_life})

    def do_GET(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        server.arrived(self.path, self)
        if self.path in server.instead:
            server.instead[self.path](self)
            return
        if server.fails(self.path, self):
            return
        if not server.takes((self.headers.get("Authorization") or "").removeprefix("Bearer ")):
            server.faults[self.path] += 1
            self.refuse(401, "The access token expired")
            return
        status, value = server.find(parts.path, {name: found[0] for name, found in parse_qs(parts.query).items()})
        if status == 200:
            server.delivered[self.path] += 1
            self.answer(value)
        else:
            self.refuse(status, value)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.answer({"error": {"status": status, "message": message}}, status, **headers)

    def answer(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, **headers)

    def send(self, body: bytes, status: int = 200, *, only: int | None = None, **headers: str) -> None:
        self.send_response(status)
        own = {name.replace("_", "-"): text for name, text in headers.items()}
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **own}.items():
            self.send_header(name, text)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body[:only])
            self.wfile.flush()

    def hang_up(self) -> None:
        """End the connection, hard."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        pass


class SpotifyApi(ThreadingHTTPServer):
    """The server. ``share`` of all requests meet a fault of ``kinds``; ``instead`` are answers of a test's own, by path."""

    daemon_threads = True
    request_queue_size = 64
    scheme = "http"

    def __init__(
        self, *, seed: int = 0, share: float = 0.0, kinds: tuple[str, ...] = FAULTS, token_life: float = 3600, token_uses: int = 1 << 30
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.catalogue = Catalogue()
        self.instead: dict[str, Callable[[_Handler], None]] = {}
        self.seed, self.share, self.kinds = seed, share, kinds
        self.token_life, self.token_uses = token_life, token_uses
        self.asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.impolite: list[str] = []
        self.at_once = 4
        self.forbidden: set[str] = set()
        self.pause = 0.0
        self._tokens: dict[str, list[float]] = {}
        self._closed: dict[str, list[tuple[float, float, str, list[str]]]] = {"token": [], "api": []}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def speak_tls(self, certificate: Path, key: Path) -> None:
        """From now on, with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.scheme, self.socket = "https", context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "spotify_client_id": CLIENT_ID,
            "spotify_client_secret": CLIENT_SECRET,
            "spotify_api_url": f"{self.url}/v1",
            "spotify_accounts_url": self.url,
        }

    @property
    def tokens(self) -> int:
        return len(self._tokens)

    # --- manners ---------------------------------------------------------------------------------------------------------

    def arrived(self, path: str, _: Any) -> None:
        """Note a request; and whether it should have waited.

        Others may have been on their way when one was told so: no more than can be at once are forgiven in the second half of the time.
        """
        now = time.monotonic()
        with self._lock:
            self.asked[path] += 1
            for since, until, asked_for, late in self._closed["token" if path == "token" else "api"]:
                if since <= now < until:
                    if now >= (since + until) / 2:
                        late.append(path)
                    if path == asked_for or len(late) >= self.at_once:
                        self.impolite.append(f"{path} {until - now:.3f} s too early")
        time.sleep(self.pause)

    def hold(self, path: str, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            self._closed["token" if path == "token" else "api"].append((now, now + seconds, path, []))

    # --- faults ----------------------------------------------------------------------------------------------------------

    def fails(self, path: str, handler: _Handler) -> bool:
        with self._lock:
            chance = random.Random(f"{self.seed} {path} {self.asked[path]}")
            if chance.random() >= self.share:
                return False
            kind = chance.choice(self.kinds)
            self.faults[path] += 1
            self.met[kind] += 1
        self.fail(kind, path, handler)
        return True

    def fail(self, kind: str, path: str, handler: _Handler) -> None:
        body = json.dumps({"items": [track(number) for number in range(20)]}).encode()
        if kind in ("429", "503-after"):
            self.hold(path, 1)
            handler.refuse(int(kind[:3]), "API rate limit exceeded", Retry_After="1")
        elif kind == "429-date":
            at = int(time.time()) + 2
            self.hold(path, at - time.time())
            handler.refuse(429, "API rate limit exceeded", Retry_After=formatdate(at, usegmt=True))
        elif kind in ("500", "503"):
            handler.send(b"<html>upstream error</html>", int(kind))
        elif kind == "no-json":
            handler.send(body[: len(body) // 2])
        elif kind == "slow":
            handler.send(body, only=100)
            time.sleep(5)
            handler.hang_up()
        else:
            if kind == "cut":
                handler.send(body, only=len(body) // 2)
            handler.hang_up()

    # --- tokens ----------------------------------------------------------------------------------------------------------

    def new_token(self) -> str:
        with self._lock:
            token = f"token-{len(self._tokens)}-{CLIENT_SECRET}"
            self._tokens[token] = [time.monotonic() + self.token_life, self.token_uses]
        return token

    def takes(self, token: str) -> bool:
        with self._lock:
            found = self._tokens.get(token)
            if found is None or time.monotonic() >= found[0] or found[1] <= 0:
                return False
            found[1] -= 1
            return True

    # --- what there is ---------------------------------------------------------------------------------------------------

    def find(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        words = path.split("/")[2:]
        if "/".join(words) in self.forbidden or (len(words) == 1 and words[0] in self.forbidden):
            return 403, "Forbidden"
        if len(words) == 1 and words[0] in _BATCH and "ids" in query:
            ids = query["ids"].split(",")
            if len(ids) > _BATCH[words[0]]:
                return 400, "Too many ids requested"
            return 200, {words[0]: [self._whole(words[0], item) for item in ids]}
        if len(words) == 2 and words[0] in self.catalogue.objects:
            found = self._whole(words[0], words[1])
            return (200, found) if found else (404, "Resource not found")
        # The new name of the same list.
        path = path.replace("/items", "/tracks") if words[0] == "playlists" else path
        if path not in self.catalogue.parts:
            return 404, "Resource not found"
        return self._listed(path, words, query)

    def _listed(self, path: str, words: list[str], query: dict[str, str]) -> tuple[int, Any]:
        most = {"artists": 10, "playlists": 100}.get(words[0], 50)
        limit, offset = int(query.get("limit", 5 if words[0] == "artists" else 20)), int(query.get("offset", 0))
        if not 1 <= limit <= most:
            return 400, "Invalid limit"
        return 200, self._page(path, limit, offset)

    def _whole(self, kind: str, item: str) -> dict[str, Any] | None:
        value = self.catalogue.objects[kind].get(item)
        parts = {"albums": "tracks", "playlists": "tracks", "shows": "episodes", "audiobooks": "chapters"}.get(kind)
        path = f"/v1/{kind}/{item}/{parts}"
        if value is None or path not in self.catalogue.parts:
            return value
        return {**value, str(parts): self._page(path, 100 if kind == "playlists" else 50, 0)}

    def _page(self, path: str, limit: int, offset: int) -> dict[str, Any]:
        items = self.catalogue.parts[path]

        def link(at: int) -> str:
            return f"{self.url}{path}?offset={at}&limit={limit}"

        return {
            "href": link(offset),
            "items": items[offset : offset + limit],
            "limit": limit,
            "next": link(offset + limit) if offset + limit < len(items) else None,
            "offset": offset,
            "previous": link(max(0, offset - limit)) if offset else None,
            "total": len(items),
        }


@contextlib.contextmanager
def speaking(**how: Any) -> Iterator[SpotifyApi]:
    """The server on a free port of this machine."""
    with SpotifyApi(**how) as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()
