"""Incidents on their way to a case: read from tenants, posted by systems, brought as files; likened, kept the same."""
