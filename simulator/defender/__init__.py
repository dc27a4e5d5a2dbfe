"""Microsoft Defender for Endpoint: machines, alerts, Live Response, response actions, the library."""
