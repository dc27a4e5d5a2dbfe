"""Where rows come from, by source."""

from collections.abc import Mapping
from types import MappingProxyType

from hunting.models import Source
from hunting.providers.base import Answer, Provider, Question, Record
from hunting.providers.case import CaseTables
from hunting.providers.defender import Defender
from hunting.providers.kusto import Cluster
from hunting.providers.loganalytics import Workspace

TIME_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    # Every table of a workspace has TimeGenerated; in Defender XDR only those that a workspace lends lack Timestamp.
    # https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated
    # A cluster's tables are their owner's: what its schema says, the runner adds. ingestion_time() is no column, and is
    # null where a table's policy is off: nothing is sliced by it.
    # https://learn.microsoft.com/kusto/query/ingestion-time-function
    {
        Defender.name: ("Timestamp", "TimeGenerated"),
        Workspace.name: ("TimeGenerated",),
        Source.KUSTO.value: ("Timestamp", "TimeGenerated"),
        Source.KUSTO_CASE.value: ("Timestamp", "TimeGenerated"),
    }
)
"""By which columns a tenant's source may be asked in slices, the best first."""

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        provider.name: provider
        for provider in (Defender(), Workspace(), Cluster(Source.KUSTO), Cluster(Source.KUSTO_CASE), CaseTables())
    }
)

__all__ = ["PROVIDERS", "TIME_COLUMNS", "Answer", "Provider", "Question", "Record"]
