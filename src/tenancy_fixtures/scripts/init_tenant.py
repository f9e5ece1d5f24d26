"""Make a tenant: ``tenancy tenant create`` under another name."""

from __future__ import annotations

import sys

from ..cli import main as tenancy

__all__ = ["main"]


def main() -> None:
    """Run ``tenancy tenant create`` with this process's arguments."""
    tenancy(["tenant", "create", *sys.argv[1:]])


if __name__ == "__main__":
    main()
