"""Exercises: scenarios as data, the players' work counted against what was expected, and the debrief."""
