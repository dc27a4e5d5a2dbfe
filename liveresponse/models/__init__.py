"""What Live Response keeps: collections, their command logs, and the scripts of a tenant's library."""

from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryScript

__all__ = [
    "FINAL_COLLECTION_STATES",
    "Collection",
    "CollectionQuerySet",
    "CollectionState",
    "CommandLog",
    "LibraryScript",
    "Polled",
    "PolledQuerySet",
    "lease",
]
