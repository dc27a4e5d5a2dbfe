"""What hunting keeps: runs and sweeps, what queries are given, and the team's own library."""

from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep
from hunting.models.supplies import Feed, FeedFetch, KnownFile, PlacesFile, ProfilesFile

__all__ = [
    "Feed",
    "FeedFetch",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "KnownFile",
    "PackVersion",
    "PlacesFile",
    "ProfilesFile",
    "SavedHunt",
    "SavedPack",
    "Source",
    "Sweep",
]
