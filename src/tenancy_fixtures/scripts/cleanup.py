"""Take a tenant away: ``tenancy tenant drop`` under another name."""

from __future__ import annotations

import sys

from ..cli import main as tenancy

__all__ = ["main"]


def main() -> None:
    """Run ``tenancy tenant drop`` with this process's arguments."""
    tenancy(["tenant", "drop", *sys.argv[1:]])


if __name__ == "__main__":
    main()
