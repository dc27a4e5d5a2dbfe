"""The work behind the tasks: one leased collection or response action, one move."""

from liveresponse.runner.actions import act
from liveresponse.runner.collections import advance
from liveresponse.runner.scripts import sync_library

__all__ = ["act", "advance", "sync_library"]
