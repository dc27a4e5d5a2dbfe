"""Figures side by side in one run: what IRCase does beside the bare tool that does the same. It judges nothing."""
