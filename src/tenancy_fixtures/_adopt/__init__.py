"""Tenants that are there already: looked at, sorted, and registered under their own names. Nothing of theirs is touched."""

from __future__ import annotations

from ._face import AdoptingManager as AdoptingManager
from ._of_alembic import pack_of_alembic as pack_of_alembic
from ._run import adopt as adopt
from ._shapes import Adoption as Adoption
from ._shapes import AdoptionReport as AdoptionReport
from ._shapes import Verdict as Verdict
from ._shared_shapes import MISSING as MISSING
from ._shared_shapes import Missing as Missing
from ._shared_shapes import SharedReport as SharedReport
from ._shared_shapes import SharedTable as SharedTable
from ._shared_shapes import TableVerdict as TableVerdict
