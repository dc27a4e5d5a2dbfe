"""Deadlines as an iCalendar file, RFC 5545, https://www.rfc-editor.org/rfc/rfc5545."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": ""})


@dataclass(frozen=True)
class Entry:
    uid: str
    at: datetime
    title: str
    text: str
    url: str


def calendar(entries: Iterable[Entry], now: datetime) -> str:
    """One event of no length at each end, with an alarm an hour before."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//IRCase//Deadlines//EN", "CALSCALE:GREGORIAN"]
    for entry in entries:
        lines += _event(entry, now)
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _event(entry: Entry, now: datetime) -> list[str]:
    title = _text(entry.title)
    return [
        "BEGIN:VEVENT",
        f"UID:{entry.uid}",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART:{_moment(entry.at)}",
        f"SUMMARY:{title}",
        f"DESCRIPTION:{_text(entry.text)}",
        f"URL:{entry.url}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{title}",
        "TRIGGER:-PT1H",
        "END:VALARM",
        "END:VEVENT",
    ]


def _text(value: str) -> str:
    plain = "".join(letter for letter in value if letter >= " " or letter in "\r\n")
    return plain.translate(_ESCAPES)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _folded(line: str) -> str:
    """At most 75 octets a line; what follows begins with a space (section 3.1)."""
    parts: list[bytes] = []
    now = b""
    for letter in line:
        piece = letter.encode("utf-8", "replace")
        if len(now) + len(piece) > (75 if not parts else 74):
            parts.append(now)
            now = b""
        now += piece
    return "\r\n ".join(part.decode() for part in [*parts, now])
