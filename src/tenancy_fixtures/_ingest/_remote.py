"""Files on web servers and in object stores, kept in the temporary file of the load.

obstore does the talking. Its settings for an object store come from that store's own environment variables (``AWS_…``,
``GOOGLE_…``, ``AZURE_…``). No message of its errors is passed on: they hold the whole URL, and with it what signs it.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from ..exceptions import MissingExtra, SourceMissing
from ._source_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ._extents import Extent, Spool

WEB: Final = ("http", "https")
# Scheme of an object store, and what the names of its environment variables begin with.
STORES: Final = {"s3": "AWS", "s3a": "AWS", "gs": "GOOGLE", "az": "AZURE", "abfs": "AZURE", "abfss": "AZURE"}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PORT = re.compile(r":\d*$")
_CHUNK = 4 << 20
# A whole file may take long, silence may not. Without a limit of its own the client gives a file 30 s.
_WHOLE, _CONNECT, _SILENCE = timedelta(days=1), timedelta(seconds=10), 60.0
_RETRY: Final = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class _Place:
    """A store, and what of it is meant. ``name`` is the URL without what must not be told: user, password, query."""

    name: str
    store: Any
    key: str


def scheme_of(text: str) -> str | None:
    """The scheme of a URL, in small letters; ``None`` where the text is none."""
    match = _URL.match(text)
    return match[1].lower() if match else None


def public_name(url: str) -> str:
    """A URL without what must not be told: user and password, query, fragment."""
    scheme, rest = _split(url)
    host, slash, path = rest.partition("/")
    if ":" in host and "@" not in host and not _PORT.search(host):
        # The rest of a password that holds a slash: what stands before the @ goes, wherever that is.
        host, slash, path = rest.rpartition("@")[2].partition("/")
    if scheme not in ("abfs", "abfss"):  # there a container stands before the @
        host = host.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}".partition("?")[0].partition("#")[0]


def fetch(url: str, spool: Spool, wanted: Callable[[str], bool]) -> list[tuple[str, Extent]]:
    """Names and contents of what the URL leads to: one file, or, where it ends in ``/``, the data files right below it.

    To be called in a worker thread, where no event loop runs.

    :raises SourceMissing: it is not there, or cannot be had.
    :raises SourceTooLarge: it is more than the limits allow.
    """
    place = _place(url, plain_http=spool.budget.limits.plain_http)
    return asyncio.run(_unless_closed(_fetch_all(place, spool, wanted), spool, place.name))


async def _unless_closed(work: Awaitable[list[tuple[str, Extent]]], spool: Spool, name: str) -> list[tuple[str, Extent]]:
    """Do the work, and give it up when the spool is closed: the load was cancelled."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait([task], timeout=_LOOK_SECONDS)
        if spool.closed and task.cancel():
            await asyncio.wait([task])
            raise SourceMissing(f"{name} was closed while it was being read", source=name)
    return task.result()


async def _fetch_all(place: _Place, spool: Spool, wanted: Callable[[str], bool]) -> list[tuple[str, Extent]]:
    if not place.name.endswith("/"):
        return [(place.name, await _fetch(place.name, place.store, place.key, spool))]
    keys = [key for key in await _list(place) if wanted(key.rpartition("/")[2])]
    if not keys:
        raise SourceMissing(f"{place.name} has no data files", source=place.name, hint="Name a file, or a prefix with data files right below it.")
    spool.budget.count(place.name, len(keys))
    named = [(place.name + key.rpartition("/")[2], key) for key in sorted(keys)]
    return [(name, await _fetch(name, place.store, key, spool)) for name, key in named]


async def _list(place: _Place) -> list[str]:
    import obstore

    with _explaining(place.name):
        found = await asyncio.wait_for(obstore.list_with_delimiter_async(place.store, place.key or None), _SILENCE)
    return [item["path"] for item in found["objects"]]


async def _fetch(name: str, store: Any, key: str, spool: Spool) -> Extent:
    import obstore

    with spool.filling(name) as region:
        with _explaining(name):
            answer = await asyncio.wait_for(obstore.get_async(store, key), _SILENCE)
            size, chunks = answer.meta["size"], answer.stream(min_chunk_size=_CHUNK).__aiter__()
        while True:
            with _explaining(name):
                try:
                    chunk = await asyncio.wait_for(chunks.__anext__(), _SILENCE)
                except StopAsyncIteration:
                    break
            region.write(bytes(chunk))
        if region.size != size:
            raise damaged(name, "ends in the middle: it was cut off")
    return region.extent


@contextmanager
def _explaining(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - obstore's errors are of many kinds, and each of them holds the URL
        raise _explained(name, error) from None


def _place(url: str, *, plain_http: bool) -> _Place:
    scheme, name = scheme_of(url) or "", public_name(url)
    if scheme not in WEB and scheme not in STORES:
        known = ", ".join(f"{item}://" for item in ("https", "http", "file", *STORES))
        raise SourceMissing(f"{name} begins with a scheme that nobody knows", source=name, hint=f"These are read: {known}; and - is standard input.")
    try:
        return _web_place(url, name, plain_http=plain_http) if scheme in WEB else _store_place(url, name, scheme)
    except ModuleNotFoundError as error:
        raise MissingExtra("reading from a URL needs obstore", extra="load", hint="Install tenancy-fixtures[load].") from error
    except SourceMissing:
        raise
    except Exception:  # noqa: BLE001 - obstore's errors for a URL are of many kinds, and hold it
        hint = "Check the URL, and the environment variables of its store."
        raise SourceMissing(f"{name} cannot be reached by that URL", source=name, hint=hint) from None


def _web_place(url: str, name: str, *, plain_http: bool) -> _Place:
    from obstore.store import HTTPStore

    parts = urlsplit(url)
    if name.endswith("/"):
        raise SourceMissing(f"{name} is no file: a web server lists none", source=name, hint="Name one file.")
    local = _is_loopback(parts.hostname or "")
    if parts.scheme.lower() == "http" and not local and not plain_http:
        hint = "Use https://, or set TENANCY_PLAIN_HTTP=true if the way to that server is safe."
        raise SourceMissing(f"{name} would come over the network unprotected", source=name, hint=hint)
    options: dict[str, Any] = {**_client(), "allow_http": local or plain_http}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        options["default_headers"] = {"authorization": b"Basic " + base64.b64encode(user.encode())}
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    return _Place(name, HTTPStore.from_url(bare, client_options=options, retry_config=_RETRY), "")  # type: ignore[arg-type]


def _store_place(url: str, name: str, scheme: str) -> _Place:
    from obstore.store import from_url

    host, _, key = _split(url)[1].partition("/")
    options: dict[str, Any] = _client()
    # Its other settings obstore takes from there itself; with options of ours it would pass over this one.
    if os.environ.get(f"{STORES[scheme]}_ALLOW_HTTP", "").lower() in ("1", "true", "yes", "on"):
        options["allow_http"] = True
    return _Place(name, from_url(f"{scheme}://{host}", client_options=options, retry_config=_RETRY), key)  # type: ignore[call-overload]


def _client() -> dict[str, Any]:
    return {"timeout": _WHOLE, "connect_timeout": _CONNECT, "user_agent": "tenancy-fixtures"}


def _split(url: str) -> tuple[str, str]:
    match = _URL.match(url)
    assert match is not None, "only URLs come here"
    return match[1].lower(), match[2]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# What of obstore's text, where its class says nothing, tells people what to do.
_DENIED: Final = ("is not for you: the server denied access", "Check the rights, and the credentials in the environment or the URL.")
_GONE: Final = ("is not there", "Check the URL.")
_STATUSES: Final = {401: _DENIED, 403: _DENIED, 404: _GONE, 410: _GONE}
_SAYS: Final = (
    (r"dns error|failed to lookup", "is on a host of which nobody knows the address", "Check the URL and the network."),
    (
        r"[Cc]ertificate|InvalidMessage|HandshakeFailure|AlertReceived|rustls",
        "is on a server that does not speak TLS as it should",
        "Check scheme and port of the URL, and the certificate of the server.",
    ),
    (
        r"ContentLength|Content-Length",
        "comes from a server that does not say how long it is",
        "Fetch it with another program and pipe it in: --dataset NAME=-.",
    ),
    (r"[Tt]imed ?[Oo]ut|kind: Timeout", "did not come in time", "Try again later."),
    (r"kind: Connect\b|ConnectionRefused", "is on a server that cannot be reached", "Check the URL and the network."),
    (r"UnexpectedEof|IncompleteBody|kind: Body|Interrupted", "ends in the middle: the connection was lost", "Try again."),
    (r"BadScheme", "would come over the network unprotected", "Use https, or allow http in the environment of the store."),
)


def _explained(name: str, error: Exception) -> SourceMissing:
    """What went wrong, in our words: obstore's hold the URL."""
    text = "timed out" if isinstance(error, (asyncio.TimeoutError, TimeoutError)) else str(error)
    status = _status(error)
    if status in _STATUSES:
        what, hint = _STATUSES[status]
    elif status is not None:
        what, hint = f"cannot be had: the server answered {status}", "Check the URL, and try again later."
    else:
        what, hint = next(((what, hint) for pattern, what, hint in _SAYS if re.search(pattern, text)), ("cannot be had", "Check the URL."))
    return SourceMissing(f"{name} {what}", source=name, hint=hint)


def _status(error: Exception) -> int | None:
    """The HTTP status that the error is about."""
    if isinstance(error, FileNotFoundError):
        return 404
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return 403
    found = re.search(r"^\s*status: (\d{3}),$", str(error), re.MULTILINE)
    return int(found[1]) if found else None
