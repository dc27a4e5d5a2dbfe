"""What Live Response keeps: collections, their command logs, and the scripts of a tenant's library."""

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
from liveresponse.models.collections import (
    FINAL_COLLECTION_STATES,
    Collection,
    CollectionQuerySet,
    CollectionState,
    CommandLog,
)
from liveresponse.models.freezing import Freeze
from liveresponse.models.polled import Polled, PolledQuerySet, lease
from liveresponse.models.scripts import LibraryScript

__all__ = [
    "FINAL_ACTION_STATES",
    "FINAL_COLLECTION_STATES",
    "OPEN_STATES",
    "UNSENT_STATES",
    "ActionKind",
    "ActionLog",
    "ActionQuerySet",
    "ActionState",
    "Collection",
    "CollectionQuerySet",
    "CollectionState",
    "CommandLog",
    "Effect",
    "Freeze",
    "LibraryScript",
    "Polled",
    "PolledQuerySet",
    "ResponseAction",
    "lease",
]
