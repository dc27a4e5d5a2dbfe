"""Hunting over HTTP: routers that `config.api` puts under /api/v1/. Doors, like views: access, one service, answer."""
