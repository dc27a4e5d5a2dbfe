"""Every function by name, in families; importing a family registers it."""
