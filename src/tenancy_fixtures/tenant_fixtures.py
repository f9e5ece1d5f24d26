"""TenantFixture: who the tenant is, its tier, features, limits and labels."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from ._fixture import BaseFixture, FixtureContext, find_tenant
from ._isolation import named
from ._shapes import Step
from ._tenant_roles import drop_role
from .audit import AuditAction
from .exceptions import ConfigurationError, TenantExists
from .utils import ConfigUtils, TenantUtils, ValidationUtils

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._isolation import Isolation
    from ._shapes import Tenant, ValidationReport
    from .packs import Pack


class TenantFixture(BaseFixture):
    """A tenant as it should be in the registry.

    ``tier``, ``features``, ``limits`` and ``labels`` that are not given are the pack's for a new tenant, and stay as
    they are for one that exists. ``features`` are those beside the tier's. Limits are numbers, or text with a unit
    (``"100GB"``, ``"10k/day"``). ``isolation`` is how the tenant is kept apart from the others: ``"schema"``, one of its own,
    ``"row"``, by policies in tables that tenants share, or ``"database"``, one of its own; the pack's where it is not given. It never changes.

    :raises InvalidTenantId: the id cannot be a tenant's.
    :raises ConfigurationError: a limit is no quantity, or there is no such isolation.
    """

    name: ClassVar[str] = "tenant"

    def __init__(
        self,
        tenant_id: str,
        *,
        tier: str | None = None,
        features: Iterable[str] | None = None,
        limits: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        isolation: str | None = None,
        exist_ok: bool = True,
    ) -> None:
        self.tenant_id = TenantUtils.check_id(tenant_id)
        self.tier = tier
        if isinstance(features, str):
            raise ConfigurationError("features are a list of names, not one text", hint="Write [...] around it.")
        self.features = None if features is None else tuple(dict.fromkeys(features))
        ValidationUtils.require_json({"features": self.features, "labels": labels}, "the tenant")
        self.limits = None if limits is None else ConfigUtils.parse_limits(limits)
        self.labels = None if labels is None else dict(labels)
        self.isolation = None if isolation is None else named(isolation).name
        self.exist_ok = exist_ok

    def __repr__(self) -> str:
        return f"TenantFixture({self.tenant_id!r}, tier={self.tier!r}, features={self.features!r})"

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        isolation = {} if self.isolation is None else {"isolation": self.isolation}
        return {"tier": self.tier, "features": self.features, "limits": self.limits, "labels": self.labels, **isolation}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the run is about this tenant.

        :raises ConfigurationError: it is about another.
        """
        if self.tenant_id != context.tenant_id:
            raise ConfigurationError(f"a fixture of tenant {self.tenant_id!r} is in a run on {context.tenant_id!r}", tenant=context.tenant_id)
        return await super().validate(context)

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Create it, change what differs, or nothing."""
        wanted = self._wanted(context.tenant, context.pack)
        if context.tenant is None:
            isolation = self._isolation(context.pack)
            isolation.require(context.pack)
            return [Step(self.name, "create", self.tenant_id, {"tier": wanted["tier"], "isolation": isolation.name})]
        self._refuse_existing(context.tenant)
        self._refuse_change(context.tenant)
        changed = _differences(context.tenant, wanted)
        return [Step(self.name, "update", self.tenant_id, {"changed": changed})] if changed else []

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Write the registry's row where it is missing or differs."""
        steps = await self.plan(context)
        wanted = self._wanted(context.tenant, context.pack)
        for step in steps:
            if step.action == "create":
                await self._create(context, wanted)
            else:
                await context.transaction.run("registry.change", uid=context.existing.uid, **wanted)
                context.note(AuditAction.TENANT_CHANGED, changed=step.detail["changed"])
        context.tenant = await find_tenant(context.transaction, self.tenant_id)
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Take the row out of the registry; runs and audit stay."""
        if context.tenant is None:
            return []
        await context.transaction.run("registry.remove_ledger", uid=context.tenant.uid)
        await context.transaction.run("registry.remove", uid=context.tenant.uid)
        await context.transaction.run("database.unlock", name=self.tenant_id)
        dropped = await drop_role(context.transaction, context.tenant)
        context.note(AuditAction.TENANT_DROPPED, namespace=context.tenant.namespace)
        return [Step(self.name, "drop", self.tenant_id, {} if dropped else {"kept": context.tenant.role})]

    def _refuse_existing(self, tenant: Tenant) -> None:
        if not self.exist_ok:
            hint = "Choose another id, or say that it may exist (--exist-ok, exist_ok=True)."
            raise TenantExists(f"tenant {tenant.tenant_id!r} exists already", tenant=tenant.tenant_id, hint=hint)

    def _refuse_change(self, tenant: Tenant) -> None:
        if self.isolation not in (None, tenant.isolation):
            message = f"tenant {tenant.tenant_id!r} is kept apart by {tenant.isolation!r}, which does not change to {self.isolation!r}"
            raise ConfigurationError(message, tenant=tenant.tenant_id, hint="Make another tenant with that isolation, and load its data there.")

    def _isolation(self, pack: Pack) -> Isolation:
        return named(self.isolation or pack.tenant_template.isolation)

    def _wanted(self, tenant: Tenant | None, pack: Pack) -> dict[str, Any]:
        template = pack.tenant_template
        tier = self.tier or (tenant.tier if tenant else template.default_tier)
        if tier not in template.tiers:
            hint = f"The pack {pack.name!r} has: {', '.join(template.tiers)}."
            raise ConfigurationError(f"no tier {tier!r}", tenant=self.tenant_id, hint=hint)
        # A tenant that moves to another tier gets that tier's features and limits; one that stays keeps what it has.
        keep = tenant is not None and tier == tenant.tier
        features = tenant.features if keep and tenant and self.features is None else (*template.tiers[tier].features, *(self.features or ()))
        limits = dict(tenant.limits) if keep and tenant else ConfigUtils.parse_limits(template.tiers[tier].limits)
        labels = dict(tenant.labels) if tenant else dict(template.labels)
        return {
            "tier": tier,
            "features": sorted(set(features)),
            "limits": {**limits, **(self.limits or {})},
            "labels": {**labels, **(self.labels or {})},
        }

    async def _create(self, context: FixtureContext, wanted: Mapping[str, Any]) -> None:
        isolation = self._isolation(context.pack)
        place = await isolation.place(context, uuid.uuid4())
        values = {"tenant_id": self.tenant_id, "isolation": isolation.name, "pack": context.pack.name, **dataclasses.asdict(place)}
        await context.transaction.run("registry.add", **values, **wanted)
        context.note(AuditAction.TENANT_CREATED, namespace=place.namespace, isolation=isolation.name, tier=wanted["tier"])


def _differences(tenant: Tenant, wanted: Mapping[str, Any]) -> list[str]:
    have = dataclasses.asdict(tenant)
    return sorted(name for name, value in wanted.items() if (sorted(have[name]) if name == "features" else have[name]) != value)
