"""Incidents of Defender and of other doors: kept, triaged, merged and told back."""
