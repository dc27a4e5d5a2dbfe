"""An Azure Data Explorer cluster: queries, management commands and streaming ingestion.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/
"""

from simulator.kusto.routes import ROUTES, error_response, owns

__all__ = ["ROUTES", "error_response", "owns"]
