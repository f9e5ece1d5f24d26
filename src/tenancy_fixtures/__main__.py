"""``python -m tenancy_fixtures``: the command line where the script ``tenancy`` is not on PATH."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
