"""The work behind the tasks: one leased collection, one move."""

from liveresponse.runner.collections import advance
from liveresponse.runner.devices import look_up
from liveresponse.runner.machine_actions import watch
from liveresponse.runner.scripts import sync_library

__all__ = ["advance", "look_up", "sync_library", "watch"]
