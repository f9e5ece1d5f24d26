"""``schema_template.row.sql``: what makes a pack's schema one that several tenants share, written for people to read and keep."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ._pg.rowify import lacking
from .exceptions import PackError
from .packs import SCHEMA
from .validators import made_by

if TYPE_CHECKING:
    from .packs import Pack
    from .runtime import Runtime

_HEADER = f"""\
-- What makes the schema of {SCHEMA} one that several tenants share (isolation "row"); it runs after that, in the same
-- transaction. Written by `tenancy pack rowify`, to be read and kept beside it: where the schema changes, write it again.
--
-- Each row says whose it is, keys and references hold the tenant, and policies show each tenant its own rows alone.

"""


async def row_script(pack: Pack, runtime: Runtime) -> str:
    """The text of the file for the pack's head; nothing is left in the database.

    :raises CannotShare: the schema holds what tenants cannot share.
    """
    async with runtime.slots, runtime.database.session() as session, made_by(pack, session) as (transaction, namespace):
        steps = await lacking(transaction, namespace, file=SCHEMA, advised=True)
    return _HEADER + "\n".join(f"-- {what}\n\n" + "".join(f"{statement};\n" for statement in statements) for what, statements in steps.items())


def write_row_script(file: Path, text: str) -> None:
    """Write the file, whole or not at all, in the place of one that is there.

    :raises PackError: it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".rowify-") as scratch:
            fresh = Path(scratch, file.name)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(file)
    except OSError as error:
        raise PackError(f"{file} cannot be written: {error.strerror}", hint="Check the folder's rights.", file=str(file)) from error


async def refuse_unshared(pack: Pack, runtime: Runtime) -> None:
    """See that the pack's own file makes a schema that tenants can share.

    :raises PackInvalid: the pack has none, or it leaves something open; says what.
    :raises CannotShare: the schema holds what tenants cannot share.
    """
    async with runtime.slots, runtime.database.session() as session, made_by(pack, session, shared=True):
        pass
