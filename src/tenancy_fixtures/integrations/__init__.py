"""What a host's application uses of the tenants: sessions of SQLAlchemy, dependencies and a middleware of FastAPI."""
