"""A pack of nothing but the host's Alembic: enough to tell at which of its revisions a tenant is."""

from __future__ import annotations

import re
from pathlib import Path

from .._alembic import read_history
from .._pack_models import PackManifest
from .._template_models import ConfigTemplate, TenantTemplate, Tier
from ..packs import Pack


def pack_of_alembic(config: str | Path, metadata: str | None = None) -> Pack:
    """The pack of an ``alembic.ini``, named after the folder that it is in; tenants may refer to ``public``.

    ``metadata`` is where the host's models are, as ``module:attribute``: with naming conventions constraints have other names.

    :raises PackInvalid: there is no such history or metadata, or it is not in order.
    """
    path = Path(config)
    revisions = read_history(path, metadata=metadata)
    folder = path.resolve().parent
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
    values = {"name": name or "pack", "version": "1", "shared_schemas": ["public"]}
    return Pack(
        folder=folder,
        manifest=PackManifest.model_validate({**values, "alembic": {"config": path.name, "metadata": metadata}}),
        tenant_template=TenantTemplate(default_tier="standard", tiers={"standard": Tier()}),
        config_template=ConfigTemplate(defaults={}),
        schema_sql=None,
        revisions=revisions,
    )
