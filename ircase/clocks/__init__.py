"""Deadlines as data: what each law asks for, and how its time is counted (docs/clocks.md)."""
