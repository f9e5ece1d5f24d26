"""The checks of a tenant in the database, each in a module of its own; :mod:`tenancy_fixtures.validators` puts them together."""
