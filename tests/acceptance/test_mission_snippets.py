"""The two snippets that the project promises, word for word, as somebody types them into ``python -m asyncio``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tenancy_fixtures import Settings
from tenancy_fixtures._pg import embedded
from tests.acceptance.support import State

ROOT = Path(__file__).resolve().parents[2]

FIRST = """\
from app.tenancy.fixtures import FixtureManager
manager = FixtureManager()
await manager.create_tenant("tenant_001")
await manager.load_fixtures("tenant_001")
"""

SECOND = """\
from app.tenancy.fixtures import TenantFixture, ConfigFixture
tenant_fixture = TenantFixture(tenant_id="premium_001", features=["ai_collaboration", "advanced_analytics"],
                               limits={"api_calls": 10000, "storage": "100GB"})
config_fixture = ConfigFixture()
await config_fixture.apply_tenant_config(tenant_fixture)
"""

LOOK = """\
import json
from app.tenancy.fixtures import FixtureManager
print("TENANTS", json.dumps([tenant.to_dict() for tenant in await FixtureManager().list_tenants()]))
"""

GREETING = (
    ">>> import asyncio",
    "[GCC ",  # Python 3.9 breaks the line of its version
    "[Clang ",
    "asyncio REPL ",
    'Use "await" directly',
    'Type "help"',
    "exiting asyncio REPL",
    "Tenancy Fixtures: embedded PostgreSQL ",
)
LIMITS = {"api_calls": {"value": 10000, "period": "month"}, "storage": {"value": 100 * 10**9, "unit": "bytes"}}


def type_in(code: str, surroundings: Mapping[str, str]) -> str:
    """Run lines as a person would type them; give what was printed. Anything on stderr but the greeting is a failure."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("TENANCY_", "PYTHON", "PG"))}
    environment = {**plain, "PYTHONPATH": str(ROOT / "src"), "PYTHON_HISTORY": os.devnull, **surroundings}
    done = subprocess.run(
        [sys.executable, "-m", "asyncio"],
        input=code,
        env=environment,
        cwd=surroundings["HOME"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    noise = [line for line in done.stderr.splitlines() if line.strip(" >.") and not line.startswith(GREETING)]
    assert (done.returncode, noise) == (0, []), done.stderr
    return done.stdout


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home that the embedded server's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tenancy-home-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def embedded_server(home: Path) -> Iterator[dict[str, str]]:
    """An environment in which nothing is set but where the embedded server keeps its data."""
    data = home / "data"
    yield {"HOME": str(home), "TENANCY_DATA_DIR": str(data), "TENANCY_EMBEDDED_IDLE": "5"}
    embedded.stop(Settings.from_env(data_dir=data))


def test_on_a_machine_with_nothing(embedded_server: dict[str, str]):
    assert "RunReport load_fixtures of 'tenant_001': succeeded" in type_in(FIRST, embedded_server)
    assert "RunReport apply_tenant_config of 'premium_001': succeeded" in type_in(SECOND, embedded_server)
    listed = json.loads(type_in(LOOK, embedded_server).partition("TENANTS ")[2].splitlines()[0])
    tenants = {tenant["tenant_id"]: tenant for tenant in listed}
    assert set(tenants) == {"premium_001", "tenant_001"}
    assert {"ai_collaboration", "advanced_analytics"} <= set(tenants["premium_001"]["features"])
    assert {name: tenants["premium_001"]["limits"][name] for name in LIMITS} == LIMITS


def test_on_a_server_of_ones_own(database_url: str, state: State, home: Path):
    surroundings = {"HOME": str(home), "TENANCY_DATABASE_URL": database_url}
    type_in(FIRST + SECOND, surroundings)
    assert state.counts("tenant_001")["tracks"] == 20000
    assert state.value("SELECT limits FROM tenancy.tenants WHERE tenant_id = 'premium_001'").items() >= LIMITS.items()
    assert state.counts("premium_001")["tracks"] == 0
    assert [row["state"] for row in state.rows("SELECT state FROM tenancy.runs")] == ["succeeded"] * 3

    # Once more: the name is taken, the data is there, and the second is a desired state.
    before = state.snapshot()
    type_in(FIRST.replace('create_tenant("tenant_001")', 'create_tenant("tenant_001", exist_ok=True)') + SECOND, surroundings)
    assert state.snapshot() == before


def test_both_names_are_one_library():
    import app.tenancy.fixtures as alias
    import tenancy_fixtures

    assert sorted(alias.__all__) == sorted(tenancy_fixtures.__all__)
    for name in tenancy_fixtures.__all__:
        assert getattr(alias, name) is getattr(tenancy_fixtures, name)
