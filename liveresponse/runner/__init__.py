"""The work behind the tasks: one leased collection, one move."""

from liveresponse.runner.collections import advance
from liveresponse.runner.scripts import change_library, sync_library

__all__ = ["advance", "change_library", "sync_library"]
