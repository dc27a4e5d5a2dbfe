"""What Live Response keeps: collections, their command logs, and the scripts of a tenant's library."""

from liveresponse.models.analyses import FileAnalysis, FileAnalysisQuerySet
from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.definitions import CollectionVersion, SavedCollection
from liveresponse.models.lookups import Lookup, LookupQuerySet, LookupState
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryChange, LibraryScript

__all__ = [
    "FINAL_COLLECTION_STATES",
    "Collection",
    "CollectionQuerySet",
    "CollectionState",
    "CollectionVersion",
    "CommandLog",
    "LibraryChange",
    "FileAnalysis",
    "FileAnalysisQuerySet",
    "LibraryScript",
    "Lookup",
    "LookupQuerySet",
    "LookupState",
    "Polled",
    "PolledQuerySet",
    "SavedCollection",
    "lease",
]
