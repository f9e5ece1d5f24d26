"""The command line's daily errands as scripts: ``python -m tenancy_fixtures.scripts.NAME``."""

from __future__ import annotations
