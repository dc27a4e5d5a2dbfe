"""What Live Response keeps: collections, batches of them, command logs, a tenant's library and its action log."""

from liveresponse.models.actions import (
    FINAL_ACTION_STATES,
    OPEN_STATES,
    UNSENT_STATES,
    ActionKind,
    ActionLog,
    ActionQuerySet,
    ActionState,
    Effect,
    ResponseAction,
)
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
from liveresponse.models.freezing import Freeze
from liveresponse.models.lookups import Lookup, LookupQuerySet, LookupState
from liveresponse.models.machine_actions import ActionInCase, ActionRecord, ActionWatch
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryChange, LibraryScript, LibraryWatch

__all__ = [
    "FINAL_ACTION_STATES",
    "FINAL_COLLECTION_STATES",
    "ActionInCase",
    "ActionRecord",
    "ActionWatch",
    "Batch",
    "BatchState",
    "OPEN_STATES",
    "UNSENT_STATES",
    "ActionKind",
    "ActionLog",
    "ActionQuerySet",
    "ActionState",
    "Collection",
    "CollectionQuerySet",
    "CollectionState",
    "CollectionVersion",
    "CommandLog",
    "LibraryChange",
    "FileAnalysis",
    "FileAnalysisQuerySet",
    "Effect",
    "Freeze",
    "LibraryScript",
    "LibraryWatch",
    "Lookup",
    "LookupQuerySet",
    "LookupState",
    "Polled",
    "PolledQuerySet",
    "SavedCollection",
    "ResponseAction",
    "lease",
]
