"""What hunting keeps: runs, sweeps and packs at work, the team's own library, and what was brought into it."""

from hunting.models.importing import HuntImport, ImportItem
from hunting.models.library import HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.models.packs import PackRun, PackStep
from hunting.models.runs import HuntRun, HuntRunQuerySet, Source, Sweep, Usage

__all__ = [
    "HuntImport",
    "HuntRun",
    "HuntRunQuerySet",
    "HuntVersion",
    "ImportItem",
    "PackRun",
    "PackStep",
    "PackVersion",
    "SavedHunt",
    "SavedPack",
    "Source",
    "Sweep",
    "Usage",
]
