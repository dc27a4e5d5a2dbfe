"""The case's content rebuilt from an export: every area is made into rows again, or kept as a record with a reason."""
