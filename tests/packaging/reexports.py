"""What a host writes, in both names: read by mypy and pyright, and never run. An ignored line that is no error is one."""

from __future__ import annotations

import app.tenancy.fixtures.base
import app.tenancy.fixtures.config_fixtures
import app.tenancy.fixtures.constants
import app.tenancy.fixtures.data_loaders
import app.tenancy.fixtures.exceptions
import app.tenancy.fixtures.monitoring
import app.tenancy.fixtures.schema_fixtures
import app.tenancy.fixtures.tenant_fixtures
import app.tenancy.fixtures.utils
import app.tenancy.fixtures.validators
import tenancy_fixtures
import tenancy_fixtures.base
import tenancy_fixtures.data_loaders
import tenancy_fixtures.exceptions
import tenancy_fixtures.monitoring
import tenancy_fixtures.schema_fixtures
import tenancy_fixtures.utils
import tenancy_fixtures.validators
from app.tenancy.fixtures import ConfigFixture, FixtureManager, TenantFixture
from app.tenancy.fixtures.base import BaseFixture
from app.tenancy.fixtures.scripts.cleanup import main as cleanup
from app.tenancy.fixtures.scripts.init_tenant import main as init_tenant
from app.tenancy.fixtures.scripts.load_fixtures import main as load_fixtures
from app.tenancy.fixtures.scripts.validate_data import main as validate_data

manager: type[tenancy_fixtures.FixtureManager] = FixtureManager
tenant: type[tenancy_fixtures.TenantFixture] = TenantFixture
config: type[app.tenancy.fixtures.config_fixtures.ConfigFixture] = ConfigFixture
also_tenant: type[app.tenancy.fixtures.tenant_fixtures.TenantFixture] = TenantFixture
loader: type[tenancy_fixtures.data_loaders.DataLoader] = app.tenancy.fixtures.data_loaders.SpotifyDataLoader
error: type[tenancy_fixtures.exceptions.TenancyError] = app.tenancy.fixtures.exceptions.TenantExists
monitor: type[tenancy_fixtures.monitoring.FixtureMonitor] = app.tenancy.fixtures.monitoring.FixtureMonitor
schema: type[tenancy_fixtures.schema_fixtures.SchemaFixture] = app.tenancy.fixtures.schema_fixtures.SchemaFixture
tools: type[tenancy_fixtures.utils.TenantUtils] = app.tenancy.fixtures.utils.TenantUtils
validator: type[tenancy_fixtures.validators.FixtureValidator] = app.tenancy.fixtures.validators.FixtureValidator
size: int = app.tenancy.fixtures.constants.DEFAULT_BATCH_SIZE
absent = app.tenancy.fixtures.base.Absent  # type: ignore[attr-defined]
wrong: int = FixtureManager  # type: ignore[assignment]
scripts = (cleanup, init_tenant, load_fixtures, validate_data)


def same(fixture: BaseFixture) -> tenancy_fixtures.base.BaseFixture:
    """BaseFixture is a protocol: a type checker takes no class of that name for a value."""
    return fixture
