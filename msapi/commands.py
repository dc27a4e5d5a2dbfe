"""The three commands that the Live Response API runs, checked before they are sent.

https://learn.microsoft.com/defender-endpoint/api/run-live-response
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msapi.errors import InvalidParameter

#: Refused by the service in any parameter. https://learn.microsoft.com/defender-endpoint/live-response
FORBIDDEN: Final = ";&|!$"
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class PutFile:
    """Put a file of the tenant's library on the device. Gives no result."""

    file_name: str

    def __post_init__(self) -> None:
        check_file_name(self.file_name)

    def as_json(self) -> dict[str, Any]:
        """The command in the API's words, whose casing matters."""
        return {"type": "PutFile", "params": [{"key": "FileName", "value": self.file_name}]}


@dataclass(frozen=True, slots=True)
class RunScript:
    """Run a script of the tenant's library, for ten minutes at most. `args` is one string, as on a command line."""

    script_name: str
    args: str = ""

    def __post_init__(self) -> None:
        check_file_name(self.script_name)
        _check("The script's arguments", self.args)

    def as_json(self) -> dict[str, Any]:
        """The command in the API's words, whose casing matters."""
        params = [{"key": "ScriptName", "value": self.script_name}]
        if self.args:
            params.append({"key": "Args", "value": self.args})
        return {"type": "RunScript", "params": params}


@dataclass(frozen=True, slots=True)
class GetFile:
    """Fetch a file by its full path on the device, 3 GB at most."""

    path: str

    def __post_init__(self) -> None:
        if not self.path.strip():
            raise InvalidParameter("Give the full path of the file to fetch.")
        _check("The path", self.path)

    def as_json(self) -> dict[str, Any]:
        """The command in the API's words, whose casing matters."""
        return {"type": "GetFile", "params": [{"key": "Path", "value": self.path}]}


LiveResponseCommand = PutFile | RunScript | GetFile

_ORDER: Final = (PutFile, RunScript, GetFile)


def check_file_name(name: str) -> None:
    """Raise `InvalidParameter` unless `name` can be that of a file in the library."""
    if not _FILE_NAME.fullmatch(name):
        raise InvalidParameter("A library file's name has letters, digits, - _ and . only, and begins with no dot.")


def check_order(commands: Sequence[LiveResponseCommand]) -> None:
    """Raise `InvalidParameter` unless there are commands, and in the order that the service runs them in."""
    if not commands:
        raise InvalidParameter("A Live Response session needs at least one command.")
    ranks = [_ORDER.index(type(command)) for command in commands]
    if ranks != sorted(ranks):
        raise InvalidParameter("Live Response runs PutFile, then RunScript, then GetFile: order the commands so.")


def _check(what: str, value: str) -> None:
    bad = sorted(set(value) & set(FORBIDDEN))
    if bad:
        raise InvalidParameter(f"{what} must not hold {' '.join(bad)}: Live Response refuses the characters ; & | ! $.")
    if _CONTROLS.search(value):
        raise InvalidParameter(f"{what} must be one line without control characters.")
    if len(value) > _LONGEST:
        raise InvalidParameter(f"{what} must not be longer than {_LONGEST} characters.")
