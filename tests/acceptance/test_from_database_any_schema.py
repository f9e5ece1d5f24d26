"""Schemas at random, with rows in them, become packs: what tenants of those get is the same, to the last byte of a row."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures._from_database import Wishes
from tenancy_fixtures._pg.catalog import difference
from tests.acceptance.nasty_pack import write_pack
from tests.acceptance.support import State
from tests.acceptance.test_from_database import contents, structure
from tests.acceptance.test_generate_any_schema import schemas

numbers = itertools.count()


@examples(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
@given(made=schemas(), seed=st.integers(0, 3))
def test_any_schema_goes_round_with_its_rows(settings: Settings, state: State, tmp_path: Path, made: tuple[str, list[dict[str, Any]]], seed: int):
    schema, datasets = made
    folder = tmp_path / f"p{next(numbers)}"
    pack = Pack.from_folder(write_pack(folder, schema, datasets))
    asyncio.run(_round(settings, state, pack, folder, seed))


async def _round(settings: Settings, state: State, pack: Pack, folder: Path, seed: int) -> None:
    tables = tuple(dataset.name for dataset in pack.manifest.datasets)
    async with FixtureManager(settings, pack=pack) as manager:
        report = await manager.generate_data(folder / "data", rows=40, seed=seed)
        await manager.create_tenant("first")
        try:
            await manager.load_fixtures("first", sources={item.dataset: item.path for item in report.files})
            written = await manager.pack_from_database("t_first", folder / "copied", name="copied", wishes=Wishes(tables))
            assert {item.table for item in written.data} == {*tables}
            await _equal(settings, state, Pack.from_folder(folder / "copied"), tables)
        finally:
            await manager.drop_tenant("first")


async def _equal(settings: Settings, state: State, pack: Pack, tables: tuple[str, ...]) -> None:
    async with FixtureManager(settings, pack=pack) as copies:
        await copies.create_tenant("second")
        try:
            await copies.load_fixtures("second")
            assert difference(await structure(state, "t_first"), await structure(state, "t_second")) == []
            for name in tables:
                assert contents(state, "t_first", name) == contents(state, "t_second", name)
        finally:
            await copies.drop_tenant("second")
