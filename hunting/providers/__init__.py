"""Where rows come from, by source."""

from collections.abc import Mapping
from types import MappingProxyType

from hunting.providers.base import Answer, Provider, Question, Record
from hunting.providers.case import CaseTables
from hunting.providers.defender import Defender
from hunting.providers.loganalytics import Workspace

TIME_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    # Every table of a workspace has TimeGenerated; in Defender XDR only those that a workspace lends lack Timestamp.
    # https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated
    {Defender.name: ("Timestamp", "TimeGenerated"), Workspace.name: ("TimeGenerated",)}
)
"""By which columns a tenant's source may be asked in slices, the best first."""

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (Defender(), Workspace(), CaseTables())}
)

__all__ = ["PROVIDERS", "TIME_COLUMNS", "Answer", "Provider", "Question", "Record"]
