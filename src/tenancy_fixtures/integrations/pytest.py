"""A plugin for pytest: a clean tenant for each test, on a real PostgreSQL, and the check that no statement runs without a tenant.

pytest finds it by itself where it is installed beside this library. What it stands on is imported when the first test asks for it.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .._testkit._run import Wishes
    from .._testkit._tenant import CleanTenant
    from .._testkit._watch import Watch
    from .._testkit._worker import Worker
    from ..settings import Settings

__all__ = ["CleanTenant"]

ENVIRONMENT = "TENANCY_TEST_DATABASE_URL"
# What a worker is told by the process that started it: the name of the run, and its password.
_FROM_CONTROLLER = "tenancy_run"
_run_key: pytest.StashKey[tuple[str, str]] = pytest.StashKey()


def __getattr__(name: str) -> Any:
    """What a host annotates its tests with; imported when it is asked for."""
    if name != "CleanTenant":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .._testkit._tenant import CleanTenant

    return CleanTenant


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("tenancy", "tenants for tests")
    group.addoption("--tenancy-database-url", metavar="URL", help=f"a superuser's login on the PostgreSQL for tests; else ${ENVIRONMENT}")
    group.addoption("--tenancy-require-tenant", action="store_true", default=None, help="fail tests that let a statement run without a tenant")
    parser.addini("tenancy_database_url", "the same as --tenancy-database-url; without any of them an embedded PostgreSQL is used")
    parser.addini("tenancy_pack", "the pack that tenants are made from: a folder, or module:attribute; else $TENANCY_PACK, else the default pack")
    parser.addini("tenancy_datasets", "datasets that every tenant holds: names, or 'none'; all of the pack where it is not said", type="args")
    parser.addini("tenancy_setup", "SQL scripts that run before there is any tenant, as a superuser: extensions, shared schemas", type="paths")
    parser.addini("tenancy_seed", "what the rows of `factory` are made from", default="0")
    parser.addini("tenancy_require_tenant", "the same as --tenancy-require-tenant", type="bool", default=False)
    parser.addini("tenancy_allow_without_tenant", "regular expressions: statements that may run without a tenant", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Listen to statements, where the suite wants that for all of its tests."""
    if config.getoption("tenancy_require_tenant") or config.getini("tenancy_require_tenant"):
        config.pluginmanager.register(_EveryTest(config), "tenancy-require-tenant")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which run it belongs to."""
    node.workerinput[_FROM_CONTROLLER] = _run_of(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """When all workers are done: remove what they had in common, if any of them asked for a tenant."""
    mark = _mark(config.stash[_run_key][0]) if _run_key in config.stash else None
    if mark is not None and mark.exists():
        from .._testkit._loop import LoopThread
        from .._testkit._run import Identity, remove
        from ..exceptions import TenancyError

        loop = LoopThread()
        try:
            loop.run(remove(_wishes(config), Identity(*config.stash[_run_key])))
        except TenancyError as error:
            # The tests' own results are what this process is asked for; the next run removes it.
            sys.stderr.write(f"tenancy: what this run has made is still there: {error}\n")
        finally:
            loop.close()
            mark.unlink()


def _run_of(config: pytest.Config) -> tuple[str, str]:
    """The run's name and password: made once, by whoever begins it."""
    if _run_key not in config.stash:
        config.stash[_run_key] = (f"tenancy_run_{secrets.token_hex(6)}", secrets.token_hex(16))
    return config.stash[_run_key]


class _EveryTest:
    """Watches all engines while a test runs; not while its fixtures are made."""

    def __init__(self, config: pytest.Config) -> None:
        self._allow = config.getini("tenancy_allow_without_tenant")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        from .._testkit._watch import Watch

        with Watch(self._allow).on() as watch:
            yield
        _fail(watch)


def _fail(watch: Watch) -> None:
    complaint = watch.complaint()
    if complaint is not None:
        pytest.fail(complaint, pytrace=False)


def _wishes(config: pytest.Config) -> Wishes:
    from .._testkit._run import Wishes
    from ..settings import Settings

    url = config.getoption("tenancy_database_url") or config.getini("tenancy_database_url") or os.environ.get(ENVIRONMENT)
    pack = config.getini("tenancy_pack")
    here = config.rootpath / pack if pack else None
    names = tuple(config.getini("tenancy_datasets"))
    datasets = None if not names else () if names == ("none",) else names
    found = str(here) if here is not None and here.is_dir() else pack or Settings.from_env().pack
    return Wishes(url or None, found, datasets, tuple(config.getini("tenancy_setup")))


def _mark(run: str) -> Path:
    """The file that says that a worker of the run has made something."""
    return Path(tempfile.gettempdir()) / f"{run}.used"


@pytest.fixture(scope="session")
def _tenancy(pytestconfig: pytest.Config) -> Iterator[Worker]:
    """The databases and the pool of this worker."""
    from .._testkit._worker import Identity, Worker

    told = getattr(pytestconfig, "workerinput", {})
    identity = Identity(*(told[_FROM_CONTROLLER] if told else _run_of(pytestconfig)))
    if told:
        _mark(identity.run).touch()
    worker = Worker(_wishes(pytestconfig), identity, told.get("workerid", "main"), alone=not told)
    yield worker
    worker.end()


@pytest.fixture(scope="session")
def tenancy_settings(_tenancy: Worker) -> Settings:
    """Settings of this library for the worker's database: for the code under test that uses a manager, or an engine bound to the tenants."""
    return _tenancy.settings


@pytest.fixture(scope="session")
def tenancy_application_url(_tenancy: Worker) -> str:
    """Where an engine of the application connects: the worker's database, with a login that may act as the application's role."""
    return _tenancy.application_url


@pytest.fixture
def tenants(_tenancy: Worker) -> Iterator[Callable[[int], list[CleanTenant]]]:
    """As many clean tenants as one test asks for.

    ``first, second = tenants(2)``; each call gives others.
    """
    # One at once, before the test does anything: what a test before has left in the registry goes then.
    taken = _tenancy.take(1)
    ready = list(taken)

    def take(count: int = 2) -> list[CleanTenant]:
        handed, ready[:] = ready[:count], ready[count:]
        more = _tenancy.take(count - len(handed)) if len(handed) < count else []
        taken.extend(more)
        return [*handed, *more]

    yield take
    _tenancy.give_back(taken)


@pytest.fixture
def tenant(tenants: Callable[[int], list[CleanTenant]]) -> CleanTenant:
    """A tenant that holds what the template holds, and that no other test has."""
    return tenants(1)[0]


@pytest.fixture
def factory(_tenancy: Worker, pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Callable[..., Callable[..., list[dict[str, Any]]]]:
    """Rows made to order: ``factory("tracks")(n=3, title="x")`` inserts three valid ones, and what they refer to, and gives them as they are then.

    They go into the test's ``tenant``, or into another one: ``factory("tracks", tenant=other)``. The same seed gives the same rows.
    """
    seeds = int(pytestconfig.getini("tenancy_seed"))
    made: dict[Any, int] = {}

    def of(dataset: str, *, tenant: CleanTenant | None = None, seed: int = seeds) -> Callable[..., list[dict[str, Any]]]:
        owner = tenant or request.getfixturevalue("tenant")

        def make(n: int = 1, **values: Any) -> list[dict[str, Any]]:
            key = (owner.tenant_id, dataset, seed)
            rows = _tenancy.insert(owner, dataset, seed=seed, start=made.get(key, 0), count=n, values=values)
            made[key] = made.get(key, 0) + n
            return rows

        return make

    return of


@pytest.fixture
def require_tenant(pytestconfig: pytest.Config) -> Iterator[Callable[..., None]]:
    """From its call on the test fails if a statement runs without a tenant: ``require_tenant(engine, allow=["^SELECT 1$"])``."""
    from contextlib import ExitStack

    from .._testkit._watch import Watch

    watches = []
    with ExitStack() as stack:

        def listen(*engines: Engine | AsyncEngine, allow: tuple[str, ...] = ()) -> None:
            watch = Watch([*pytestconfig.getini("tenancy_allow_without_tenant"), *allow])
            watches.append(stack.enter_context(watch.on(*engines)))

        yield listen
    for watch in watches:
        _fail(watch)
