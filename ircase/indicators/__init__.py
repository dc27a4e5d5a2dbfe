"""Indicators beyond one at a time: out of pasted text, known to be harmless, seen elsewhere, changed and handed out."""
