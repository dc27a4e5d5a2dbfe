"""The work behind the tasks: one leased row, one move."""

from liveresponse.runner.actions import act
from liveresponse.runner.analyses import read_analysis
from liveresponse.runner.collections import advance
from liveresponse.runner.devices import find_devices
from liveresponse.runner.lookups import look_up
from liveresponse.runner.machine_actions import watch
from liveresponse.runner.scripts import change_library, sync_library

__all__ = ["act", "advance", "change_library", "find_devices", "look_up", "read_analysis", "sync_library", "watch"]
