"""A file of indicators, whichever it is: what was understood, and what was not, by type and count."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ircase.exchange.reading import mispevent, stixbundle
from ircase.exchange.reading.items import Finds, Item

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_OBJECTS: Final = 50_000
MOST_ITEMS: Final = 900
"""A form is sent with no more fields than 1,000."""
DEEPEST: Final = 60
MOST_TYPES: Final = 40
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BETWEEN: Final = re.compile(r"[^\[\]{}]+")


class FileError(Exception):
    """The file cannot be read. The text is a sentence for people."""


@dataclass(frozen=True)
class Reading:
    """`unknown` counts what is not taken, by a sentence each; `more` items were found beyond `MOST_ITEMS`."""

    kind: str
    sender: str
    items: tuple[Item, ...]
    unknown: tuple[tuple[str, int], ...]
    more: int = 0


def read(data: bytes) -> Reading:
    """The indicators of a file, each once, in its order. Raises FileError."""
    if len(data) > MOST_BYTES:
        raise FileError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB. Split it.")
    document = _parsed(data)
    if isinstance(document, dict) and document.get("type") == "bundle":
        return _of("STIX bundle", document.get("objects"), stixbundle.read)
    events = mispevent.events_of(document)
    if events:
        return _of("MISP event", events, mispevent.read)
    raise FileError("This is neither a STIX bundle nor a MISP event. Both are JSON; save one of them and try again.")


def _parsed(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError("The file is not UTF-8 text.") from None
    if _depth(text) > DEEPEST:
        raise FileError(f"The file is nested more than {DEEPEST} deep, which no bundle or event is.")
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise FileError("The file is not valid JSON.") from None


def _depth(text: str) -> int:
    """How deep its brackets stand at most."""
    deep = most = 0
    for mark in _BETWEEN.sub("", _TEXT.sub("", text)):
        deep += 1 if mark in "[{" else -1
        most = max(most, deep)
    return most


def _of(kind: str, things: Any, reader: Any) -> Reading:
    if not isinstance(things, list) or not things:
        raise FileError(f"The {kind} is empty.")
    if len(things) > MOST_OBJECTS:
        raise FileError(f"The {kind} has {len(things):,} objects; at most {MOST_OBJECTS:,} are read. Split it.")
    finds: Finds = reader(things)
    items = _merged(finds.items)
    return Reading(kind, finds.sender[:120], tuple(items[:MOST_ITEMS]), _counted(finds.unknown),
                   max(0, len(items) - MOST_ITEMS))  # fmt: skip


def _merged(items: Iterable[Item]) -> list[Item]:
    """Each value once: the first mention, or an indicator in place of what was merely observed."""
    found: dict[tuple[str, str], Item] = {}
    for item in items:
        there = found.get((item.kind, item.value))
        if there is None or (there.note and not item.note):
            found[item.kind, item.value] = item
    return list(found.values())


def _counted(unknown: Counter[str]) -> tuple[tuple[str, int], ...]:
    common = unknown.most_common()
    rest = sum(count for _, count in common[MOST_TYPES:])
    return (*common[:MOST_TYPES], *([("other things", rest)] if rest else []))
