"""What scripts and packages would collect from a device, made from the story's telemetry of that device.

Layout and quirks: the output of DFIR-Script.ps1 2.2.4 as Windows PowerShell 5.1 writes it
(https://github.com/Bert-JanP/Incident-Response-Powershell).
"""
