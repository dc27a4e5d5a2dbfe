"""The tenant's telemetry: a fictional company, a week of ordinary work and one intrusion.

Everything is derived from a seed and a moment, so that two runs with the same parameters write the same bytes.
At the company it is always Friday 17:30: that local time is laid upon the moment the story ends ("now").
"""
