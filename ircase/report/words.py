"""Values as a report shows them: times in UTC, spans in words, outside JSON as short text."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ircase.report.shape import Pair

LONGEST_FIELD = 4_000
LONG_ENTRY = 60
LONGEST_NAME = 320
# What hosts, accounts and addresses are written with.
_IN_A_NAME = re.compile(r"[\w.@$:\[\]-]")
_BEGUN = re.compile(rf"{_IN_A_NAME.pattern}+$")
LONGEST_QUERY = 40_000
MOST_PAIRS = 40


def when(at: datetime | None) -> str:
    """ISO 8601 in UTC to the second; "" for None."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def moment(text: object) -> str:
    """A time that an app kept as ISO text, in the report's own form; text that is no time stays as it is."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return clip(str(text), 64)
    return when(at) if at.tzinfo else clip(str(text), 64)


def took(span: timedelta | None) -> str:
    """`3 d 4 h`, `2 h 5 min`, `40 s`; "" for None."""
    if span is None:
        return ""
    seconds = max(0, round(span.total_seconds()))
    parts = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def clip(text: str, longest: int = LONGEST_FIELD) -> str:
    """At most `longest` characters, and a mark that says how many were left out."""
    if len(text) <= longest:
        return text
    kept = whole(text, longest)
    return f"{kept} […{len(text) - len(kept):,} more characters]"


def whole(text: str, longest: int) -> str:
    """At most the first `longest` characters, without a last word that is begun and not ended: a mask comes later, and
    takes the half of a name for no name."""
    if len(text) <= longest or not (_IN_A_NAME.fullmatch(text[longest - 1]) and _IN_A_NAME.fullmatch(text[longest])):
        return text[:longest]
    first = max(0, longest - LONGEST_NAME)
    begun = _BEGUN.search(text, first, longest)
    # A run that is longer than any name, as of a script without spaces, is cut where it is.
    return text[: begun.start()].rstrip() if begun and begun.start() > first else text[:longest]


def short(value: object) -> str:
    """Any JSON value as text: lists by commas, or by lines where an entry is long; flat objects as `name: value`."""
    if isinstance(value, str):
        return clip(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        parts = [str(part) for part in value]
        return clip(("\n" if any(len(part) > LONG_ENTRY for part in parts) else ", ").join(parts))
    if isinstance(value, Mapping) and all(isinstance(part, str | int | float) for part in value.values()):
        return clip(", ".join(f"{name}: {part}" for name, part in value.items()))
    return "" if value is None else clip(json.dumps(value, ensure_ascii=False, default=str))


def pairs(values: object, *, without: tuple[str, ...] = ()) -> tuple[Pair, ...]:
    """The entries of a JSON object that say something, at most MOST_PAIRS; anything else gives none."""
    if not isinstance(values, Mapping):
        return ()
    told: list[tuple[str, Any]] = [(str(k), v) for k, v in values.items() if k not in without and v not in (None, "")]
    found = [Pair(clip(name, 80), short(value)) for name, value in told[:MOST_PAIRS] if value not in ([], {})]
    if len(told) > MOST_PAIRS:
        found.append(Pair("…", f"{len(told) - MOST_PAIRS} more"))
    return tuple(found)


def label(name: str) -> str:
    return name.replace("_", " ").capitalize()
