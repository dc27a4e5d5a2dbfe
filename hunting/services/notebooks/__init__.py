"""The case notebook: writing cells, running them one by one or all in order, and taking them out and in again."""
