"""Azure Data Explorer (Kusto): queries, the schema, and tables pushed to a cluster. No Django.

Over our own transport, not over Microsoft's client: azure-kusto-data 6.0.4 pins ijson 3.4, holds every row in memory
or, where it streams, refuses progressive frames; it overlooks an error that stands in the last frame only, gives up a
truncated answer's rows, lets REQUESTS_CA_BUNDLE win over a connection's authority, and bounds neither size nor time.
https://github.com/Azure/azure-kusto-python
"""

from msapi.kusto.client import Database, Kusto, KustoTable, Scope
from msapi.kusto.cluster import ClusterEndpoint, KustoLimits, cluster_problem, kusto_bucket
from msapi.kusto.ingest import ROW, SOURCE, Ingested, Ingestion, Target
from msapi.kusto.parameters import Parameter, quoted_name
from msapi.kusto.results import KustoResult

__all__ = [
    "ROW",
    "SOURCE",
    "ClusterEndpoint",
    "Database",
    "Ingested",
    "Ingestion",
    "Kusto",
    "KustoLimits",
    "KustoResult",
    "KustoTable",
    "Parameter",
    "Scope",
    "Target",
    "cluster_problem",
    "kusto_bucket",
    "quoted_name",
]
