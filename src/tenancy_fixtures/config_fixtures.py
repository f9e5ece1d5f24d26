"""ConfigFixture: a tenant's configuration, laid in layers over the pack's defaults, every version kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ._fixture import BaseFixture, FixtureContext, Operation, run
from ._shapes import Step
from .audit import AuditAction
from .exceptions import ConfigurationError
from .packs import Pack
from .runtime import Runtime
from .schema_fixtures import SchemaFixture
from .utils import ConfigUtils, ValidationUtils

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._shapes import RunReport
    from .settings import Settings
    from .tenant_fixtures import TenantFixture


class ConfigFixture(BaseFixture):
    """The configuration that a tenant should have: the pack's defaults, its tier's part, then ``overrides``.

    Without ``overrides`` a tenant that has a configuration keeps it.
    """

    name: ClassVar[str] = "config"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant", "schema")

    def __init__(self, overrides: Mapping[str, Any] | None = None, *, settings: Settings | None = None, pack: Pack | None = None) -> None:
        if overrides is not None and not isinstance(overrides, Mapping):
            raise ConfigurationError(f"a configuration is an object, not {type(overrides).__name__}", hint="Give a dict.")
        ValidationUtils.require_json(overrides, "the configuration")
        self.overrides = None if overrides is None else dict(overrides)
        self._settings = settings
        self._pack = pack

    def __repr__(self) -> str:
        return f"ConfigFixture({sorted(self.overrides or {})!r})"

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        return {"overrides": self.overrides}

    async def apply_tenant_config(self, tenant: TenantFixture) -> RunReport:
        """Bring a tenant and its configuration about, in one run: what is missing is created.

        :raises TenancyError: nothing was kept.
        """
        runtime = await Runtime.current(self._settings)
        pack = self._pack or Pack.resolve(runtime.settings.pack)
        arguments = {**tenant.arguments, "overrides": self.overrides}
        operation = Operation("apply_tenant_config", tenant.tenant_id, (tenant, SchemaFixture(), self), arguments)
        return await run(runtime, pack, operation)

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Write a new version where the configuration is missing or differs."""
        version, value = await self._current(context)
        wanted = self._wanted(context, value)
        if wanted == value:
            return []
        action = "create" if value is None else "update"
        return [Step(self.name, action, f"version {version + 1}", {"changed": sorted(_changed_keys(value or {}, wanted))})]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Write the new version."""
        steps = await self.plan(context)
        if steps:
            version, value = await self._current(context)
            values = {"version": version + 1, "value": self._wanted(context, value), "run_id": context.run_id}
            await context.transaction.run("registry.add_config", uid=context.existing.uid, **values)
            context.note(AuditAction.CONFIG_SET, version=version + 1, changed=steps[0].detail["changed"])
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Remove every version of the configuration."""
        if context.tenant is None:
            return []
        removed = await context.transaction.run("registry.remove_config", uid=context.tenant.uid)
        if not removed:
            return []
        context.note(AuditAction.CONFIG_DROPPED, versions=removed)
        return [Step(self.name, "drop", f"{removed} version{'' if removed == 1 else 's'}")]

    async def _current(self, context: FixtureContext) -> tuple[int, dict[str, Any] | None]:
        if context.tenant is None:
            return 0, None
        row = await context.transaction.one("registry.current_config", uid=context.tenant.uid)
        return (row["version"], row["value"]) if row else (0, None)

    def _wanted(self, context: FixtureContext, current: Mapping[str, Any] | None) -> dict[str, Any]:
        if current is None:
            template = context.pack.config_template
            tier = context.tenant.tier if context.tenant else context.pack.tenant_template.default_tier
            current = ConfigUtils.deep_merge(template.defaults, template.tiers.get(tier, {}))
        return ConfigUtils.deep_merge(current, self.overrides or {})


def _changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}
