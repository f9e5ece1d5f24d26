"""What the fixtures of one process ask: the kit and its loop, without a word of ``await``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._factory import Samples
from ._loop import LoopThread
from ._run import Identity, Kit, Wishes
from ._tenant import CleanTenant, Engines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._shapes import Tenant
    from ..settings import Settings

__all__ = ["Identity", "Wishes", "Worker"]


class Worker:
    """A worker's tenants: begun with the first test that asks, ended with the session."""

    def __init__(self, wishes: Wishes, identity: Identity, name: str, *, alone: bool) -> None:
        self._loop = LoopThread()
        try:
            self._kit = self._loop.run(Kit.start(wishes, identity, name, alone=alone))
        except BaseException:
            self._loop.close()
            raise
        self._engines = Engines(self._kit.application_url, self._kit.settings)
        self._samples = Samples(self._kit.pool.manager, self._kit.pack)

    @property
    def settings(self) -> Settings:
        """The settings for this worker's database."""
        return self._kit.settings

    @property
    def application_url(self) -> str:
        """Where the host's application connects."""
        return self._kit.application_url

    def take(self, count: int) -> list[CleanTenant]:
        """Clean tenants for a test."""
        return [self._handed(tenant) for tenant in self._loop.run(self._kit.pool.take(count))]

    def give_back(self, tenants: Iterable[CleanTenant]) -> None:
        """The test is over."""
        self._engines.close_sessions()
        self._kit.pool.give_back(tenant.facts for tenant in tenants)

    def insert(self, tenant: CleanTenant, dataset: str, *, seed: int, start: int, count: int, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a dataset, made and inserted; see :meth:`._factory.Samples.insert`."""
        return self._loop.run(self._samples.insert(tenant.facts, dataset, seed=seed, start=start, count=count, values=values))

    def end(self) -> None:
        """Remove what was made."""
        self._engines.dispose()
        try:
            self._loop.run(self._kit.end())
        finally:
            self._loop.close()

    def _handed(self, tenant: Tenant) -> CleanTenant:
        return CleanTenant(tenant.tenant_id, self.application_url, tenant, self.settings, self._kit, self._loop, self._engines)
