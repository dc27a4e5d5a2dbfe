"""Where rows come from, by source."""

from collections.abc import Mapping
from types import MappingProxyType

from hunting.providers.base import Answer, Provider, Question, Record
from hunting.providers.case import CaseTables
from hunting.providers.defender import Defender
from hunting.providers.loganalytics import Workspace

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (Defender(), Workspace(), CaseTables())}
)

__all__ = ["PROVIDERS", "Answer", "Provider", "Question", "Record"]
