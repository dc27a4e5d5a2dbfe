"""The scripts that IRCase ships for the tenant's library: its own, and what it knows of third-party ones."""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liveresponse.catalogue import definitions

FOLDER: Final = Path(__file__).resolve().parent / "scripts"
_SYNOPSIS: Final = re.compile(r"\.SYNOPSIS\s*\n\s*(.+?)\s*\n", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\.PARAMETER\s+(\w+)\s*\n\s*(.+?)\s*\n", re.IGNORECASE)


@dataclass(frozen=True)
class OwnScript:
    """A script as it is shipped. `parameters` tells its arguments in words."""

    name: str
    content: bytes
    sha256: str
    synopsis: str
    parameters: str


@dataclass(frozen=True)
class ThirdParty:
    """A script that somebody else wrote: an administrator supplies it. `commit` is what a definition was written
    against."""

    name: str
    source: str
    commit: str


@functools.cache
def own_scripts() -> dict[str, OwnScript]:
    """Our scripts by name in lower case."""
    return {path.name.lower(): _read(path) for path in sorted(FOLDER.glob("*.ps1"))}


def _read(path: Path) -> OwnScript:
    # Whatever line ends a checkout gave it: the hash is of the text with LF, which is what is uploaded.
    content = path.read_bytes().replace(b"\r\n", b"\n")
    text = content.decode("utf-8")
    found = _SYNOPSIS.search(text)
    parameters = "; ".join(f"-{name}: {meaning}" for name, meaning in _PARAMETER.findall(text))
    synopsis = found[1] if found else path.stem
    return OwnScript(path.name, content, hashlib.sha256(content).hexdigest(), synopsis, parameters[:1000])


@functools.cache
def third_party() -> dict[str, ThirdParty]:
    """The scripts of others that shipped collections run, by name in lower case."""
    own = own_scripts()
    return {
        name.lower(): ThirdParty(name, plan.source, plan.source_commit)
        for plan in definitions().values()
        for name in plan.files
        if name.lower() not in own
    }
