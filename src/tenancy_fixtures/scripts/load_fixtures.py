"""Load datasets into a tenant: ``tenancy load`` under another name."""

from __future__ import annotations

import sys

from ..cli import main as tenancy

__all__ = ["main"]


def main() -> None:
    """Run ``tenancy load`` with this process's arguments."""
    tenancy(["load", *sys.argv[1:]])


if __name__ == "__main__":
    main()
