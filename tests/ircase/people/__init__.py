"""People and safety of access."""
