"""The work behind the tasks: one leased collection, one move."""

from liveresponse.runner.collections import advance
from liveresponse.runner.scripts import sync_library

__all__ = ["advance", "sync_library"]
