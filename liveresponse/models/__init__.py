"""What Live Response keeps: collections, batches of them, command logs, a tenant's library and its action log."""

from liveresponse.models.batches import Batch, BatchState
from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.machine_actions import ActionInCase, ActionRecord, ActionWatch
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryScript

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
    "CommandLog",
    "LibraryScript",
    "Polled",
    "PolledQuerySet",
    "lease",
]
