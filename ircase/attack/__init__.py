"""Names and tactics of MITRE ATT&CK techniques: those that IRCase is shipped with, or newer ones that an administrator
uploaded. No look-up leaves.

https://attack.mitre.org/techniques/enterprise/
"""

import json
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from ircase.attack.galaxy import shipped
from ircase.attack.model import ID, TACTICS, AttackError, Former, Release, Technique

__all__ = [
    "ID", "TACTICS", "AttackError", "Former", "Release", "Technique",
    "current_id", "find", "forget", "of_tactic", "release", "techniques", "use",
]  # fmt: skip

logger = logging.getLogger(__name__)
_loaded: tuple[tuple[int, int], Release] | None = None


def _place() -> Path:
    return Path(settings.ATTACK_DIR) / "current.json"


def release() -> Release:
    """The data that is in use. The file of an uploaded one is looked at each time and read when it has changed: what a
    worker put there, every process of the site has at once."""
    global _loaded
    try:
        stat = _place().stat()
    except OSError:
        return shipped()
    mark = (stat.st_mtime_ns, stat.st_size)
    if _loaded is None or _loaded[0] != mark:
        try:
            found = Release.from_json(json.loads(_place().read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            logger.exception("attack.unreadable", extra={"file": str(_place())})
            found = shipped()
        _loaded = (mark, found)
    return _loaded[1]


def use(found: Release) -> None:
    """From now on this is the data in use."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = place.with_name(f".{uuid.uuid4().hex}.json")
    draft.write_text(json.dumps(found.to_json()), encoding="utf-8")
    draft.replace(place)


def forget() -> None:
    """Back to the data that IRCase is shipped with."""
    _place().unlink(missing_ok=True)


def techniques() -> Mapping[str, Technique]:
    """Every current enterprise technique by id, in order of id."""
    return release().techniques


def current_id(number: str) -> str:
    """The id that `number` has today: its own, or that of what took its place; empty where nothing did or it never was
    one."""
    now, seen = release(), set[str]()
    while number not in now.techniques:
        former = now.former.get(number)
        if former is None or not former.successor or number in seen:
            return ""
        seen.add(number)
        number = former.successor
    return number


def find(text: str) -> Technique | None:
    """The technique that `text` means: an id, "id name" as the form offers it, or a name in any letter case. An id that
    was given up finds what took its place."""
    text = text.strip()
    number = ID.match(text.upper())
    if number:
        return techniques().get(current_id(number.group()))
    wanted = text.lower()
    return next((t for t in techniques().values() if wanted and wanted in (t.name.lower(), _own(t).lower())), None)


def _own(technique: Technique) -> str:
    return technique.name.split(": ", 1)[-1]


def of_tactic(tactic: str) -> list[Technique]:
    """The techniques of one tactic ("Persistence", in any letter case)."""
    return [t for t in techniques().values() if tactic.lower() in (name.lower() for name in t.tactics)]
