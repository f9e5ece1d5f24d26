"""What the plugin of pytest stands on: databases of a run, a pool of tenants that are brought back after each test, rows made to order.

And the check that no statement runs without a tenant.
"""
