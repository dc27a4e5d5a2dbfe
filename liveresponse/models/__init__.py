"""What Live Response keeps: collections, batches of them, command logs, a tenant's library and its action log."""

from liveresponse.models.analyses import FileAnalysis, FileAnalysisQuerySet
from liveresponse.models.batches import Batch, BatchState
from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.definitions import CollectionVersion, SavedCollection
from liveresponse.models.lookups import Lookup, LookupQuerySet, LookupState
from liveresponse.models.machine_actions import ActionInCase, ActionRecord, ActionWatch
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryChange, LibraryScript

__all__ = [
    "FINAL_COLLECTION_STATES",
    "ActionInCase",
    "ActionRecord",
    "ActionWatch",
    "Batch",
    "BatchState",
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
