"""The operators of a pipeline, in families; importing a family registers it."""
