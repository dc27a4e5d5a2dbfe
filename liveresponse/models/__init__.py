"""What Live Response keeps: collections, their command logs, and the scripts of a tenant's library."""

from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.definitions import CollectionVersion, SavedCollection
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
    "LibraryScript",
    "Polled",
    "PolledQuerySet",
    "SavedCollection",
    "lease",
]
