"""Live Response over HTTP: routers that `config.api` puts under /api/v1/. Doors, like views."""
