"""Readiness: who keeps it, what was answered, whom to call, and reminders."""
