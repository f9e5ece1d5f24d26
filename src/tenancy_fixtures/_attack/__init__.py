"""``tenancy doctor --attack``: two throw-away tenants, and all known ways from one to the other, through the application's own login."""

from __future__ import annotations
