"""The application of docs/how-to/sessions.md starts with one command, and answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ask(port: int, path: str, tenant: str | None = None, method: str = "GET") -> tuple[int, object]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-Tenant": tenant} if tenant else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def port(database_url: str, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    log = tmp_path / "log"
    environment = {**os.environ, "TENANCY_DATABASE_URL": database_url}
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/fastapi_app/main.py"), "--port", str(number)], env=environment, stdout=file, stderr=file
        )
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                if ask(number, "/health") == (200, {"state": "up"}):
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield number
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@pytest.mark.timeout(180)
def test_the_application_answers(port: int):
    code, of_acme = ask(port, "/tracks?title=slow", "acme")
    assert (code, len(of_acme)) == (200, 10)
    track = of_acme[0]["track_id"]
    assert ask(port, f"/tracks/{track}", "acme", "DELETE") == (200, {"tenant": "acme", "removed": 1})
    assert ask(port, f"/tracks/{track}", "acme", "DELETE") == (200, {"tenant": "acme", "removed": 0})
    assert track in [row["track_id"] for row in ask(port, "/tracks?title=slow", "globex")[1]]
    assert track not in [row["track_id"] for row in ask(port, "/tracks?title=slow", "acme")[1]]
    for tenant in ("nobody", None):
        assert ask(port, "/tracks", tenant) == (404, {"detail": "No such tenant."})
