"""A Microsoft tenant on this machine: Entra, Graph security, Log Analytics, Defender for Endpoint and a blob host.

It runs as its own process (`python -m simulator`), for the demo and for the tests. Product code never imports it.
"""
