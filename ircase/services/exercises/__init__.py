"""Exercises: begun, steered and ended by who leads the case."""
