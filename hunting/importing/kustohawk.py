"""KustoHawk's packs: a JSON array of {Name, Query, Source, ResultCount}."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hunting.importing.data import item_lines, text_of
from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.facts import DEFENDER
from hunting.importing.model import Format, ImportRefused
from hunting.importing.text import plain
from hunting.importing.words import techniques

MAX_ENTRIES: Final = 500


def read_kustohawk(document: Any, name: str, text: str) -> Reading:
    """The entries of a pack, and the pack itself under its file's name. Raises ImportRefused for any other JSON."""
    entries = document if isinstance(document, list) else next(_lists(document), None)
    if not isinstance(entries, list) or not any(isinstance(e, dict) and "query" in _lower(e) for e in entries):
        raise ImportRefused("It is JSON, but no pack: a pack is an array of entries with Name and Query.")
    starts = item_lines(text) if isinstance(document, list) else []
    lines = [*starts[: len(entries)], *([1] * (len(entries) - len(starts)))]
    drafts = tuple(_draft(n, entry, text, lines[n - 1]) for n, entry in enumerate(entries[:MAX_ENTRIES], 1))
    if len(entries) > MAX_ENTRIES:
        reason = f"{len(entries) - MAX_ENTRIES:,} more entries were not read: a pack has at most {MAX_ENTRIES}."
        drafts = (*drafts, Draft("the rest", 1, "", About(), refusal=reason))
    return Reading(Format.KUSTOHAWK, drafts, as_pack=name)


def _lists(document: Any) -> Iterator[list[Any]]:
    if isinstance(document, dict):
        if "query" in _lower(document):
            yield [document]
        yield from (value for value in document.values() if isinstance(value, list))


def _lower(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).casefold(): value for key, value in entry.items()}


def _draft(number: int, entry: Any, text: str, start: int) -> Draft:
    place = f"entry {number}"
    if not isinstance(entry, dict):
        return Draft(place, start, "", About(), refusal="The entry is no object with Name and Query.")
    keys = _lower(entry)
    name, query, source = text_of(keys.get("name")), keys.get("query"), text_of(keys.get("source"))
    line = _line(text, name, start)
    if not isinstance(query, str) or not query.strip():
        return Draft(
            place,
            line,
            "",
            About(title=name),
            refusal=f"The entry {plain(name, 80)!r} has no Query." if name else "The entry has no Query.",
        )
    about = About(
        title=name or f"Entry {number}",
        description=text_of(keys.get("description")) or name,
        techniques=techniques(f"{name} {text_of(keys.get('description'))} {source}"),
        sources=(DEFENDER,),
        address=source if re.match(r"https://\S+\Z", source) else "",
    )
    return Draft(place, line, query, about)


def _line(text: str, name: str, start: int) -> int:
    """The line on which an entry's name stands, else where it begins; the query is one line, whatever its own lines."""
    at = text.find(f'"{name}"') if name else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else start
