"""An Azure Data Explorer cluster: queries, management commands and streaming ingestion.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/
"""

from simulator.kusto.routes import ROUTES

__all__ = ["ROUTES"]
