"""Look over the pack, or tenants in the database: ``tenancy validate`` under another name."""

from __future__ import annotations

import sys

from ..cli import main as tenancy

__all__ = ["main"]


def main() -> None:
    """Run ``tenancy validate`` with this process's arguments."""
    tenancy(["validate", *sys.argv[1:]])


if __name__ == "__main__":
    main()
