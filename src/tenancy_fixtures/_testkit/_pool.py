"""The tenants of one worker: clean when they are handed out, brought back before the next test, thrown away where that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError, TenancyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from .._pg.testkit import Baseline
    from .._shapes import Tenant
    from ..manager import FixtureManager


class Pool:
    """Tenants that are made when they are first needed, and then kept."""

    def __init__(self, manager: FixtureManager, baseline: Baseline) -> None:
        self.manager = manager
        self._baseline = baseline
        self._spare: list[Tenant] = []
        self._out: list[Tenant] = []
        self._parked: set[UUID] = set()
        self._made = 0
        self.thrown_away: list[str] = []  # why, each time

    async def take(self, count: int = 1) -> list[Tenant]:
        """Clean tenants, that nobody else has. Nobody but those that are handed out is in the registry then.

        :raises ConfigurationError: the pack's tables cannot be put back.
        """
        taken = [await self._take_one() for _ in range(count)]
        await self._park([tenant.uid for tenant in self._spare])
        return taken

    def give_back(self, tenants: Iterable[Tenant]) -> None:
        """Nobody has them any more. They are looked at when they are needed: what is committed until then is seen too."""
        for tenant in tenants:
            self._out.remove(tenant)
            self._spare.append(tenant)
        # Those in the registry first: for most suites one tenant is all that is ever asked for.
        self._spare.sort(key=lambda tenant: tenant.uid in self._parked)

    async def _take_one(self) -> Tenant:
        while self._spare:
            tenant = self._spare.pop(0)
            await self._unpark(tenant.uid)
            if await self._is_clean(tenant):
                self._out.append(tenant)
                return tenant
        tenant = await self._make()
        if not await self._is_clean(tenant):
            raise _not_to_be_put_back(self.thrown_away[-1])
        self._out.append(tenant)
        return tenant

    async def _make(self) -> Tenant:
        self._made += 1
        tenant = await self.manager.create_tenant(f"test-{self._made}")
        fault = await self._baseline.enrol(tenant.uid)
        if fault is not None:
            raise _not_to_be_put_back(fault)
        return tenant

    async def _is_clean(self, tenant: Tenant) -> bool:
        """Bring it back; where that cannot be, it goes."""
        answer = await self._baseline.reset(tenant.uid)
        if not self._out:
            await self._drop(answer.strangers)
        if answer.fault is None:
            return True
        self.thrown_away.append(answer.fault)
        await self._drop({tenant.tenant_id: tenant.uid})
        return False

    async def _drop(self, tenants: Mapping[str, UUID]) -> None:
        for name, uid in tenants.items():
            await self._drop_one(name, uid)

    async def _drop_one(self, name: str, uid: UUID) -> None:
        try:
            await self.manager.drop_tenant(name)
        except TenancyError:
            # Somebody uses it still, or it is not whole: the end of the run removes it.
            await self._baseline.park([uid])

    async def _park(self, uids: list[UUID]) -> None:
        new = [uid for uid in uids if uid not in self._parked]
        if new:
            await self._baseline.park(new)
            self._parked.update(new)

    async def _unpark(self, uid: UUID) -> None:
        if uid in self._parked:
            await self._baseline.unpark([uid])
            self._parked.discard(uid)


def _not_to_be_put_back(fault: str) -> ConfigurationError:
    hint = "Let the suite use a pack that leaves that out, such as ENABLE ALWAYS (or REPLICA) of a trigger."
    return ConfigurationError(f"a new tenant cannot be brought to what the template holds: {fault}", hint=hint)
