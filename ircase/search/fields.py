"""The fields of the query language: how what was typed is read. What they ask of the database is in finder.asking."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ircase.models import Phase, Severity
from ircase.search import words
from ircase.search.sources import sources
from ircase.search.words import Term

IS: Final = ("open", "closed", "mine", "confidential", "exercise")
_TECHNIQUE = re.compile(r"t\d{4}(\.\d{3})?")
_HEX = re.compile(r"[0-9a-f]{6,128}")
_SPAN = re.compile(r"(\d{1,5})(h|d|w|y)")
_HOURS: Final = {"h": 1, "d": 24, "w": 24 * 7, "y": 24 * 365}
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


class Unreadable(Exception):
    """The value does not fit the field. The message says what would."""


@dataclass(frozen=True)
class Known:
    """`read` makes of what was typed (and of now, in the person's zone) the value that is asked for."""

    meaning: str
    example: str
    read: Callable[[str, datetime], Any]


def _one_of(values: str, allowed: dict[str, str]) -> tuple[str, ...]:
    """Values parted by commas; `allowed` leads from what may be typed to what is meant."""
    found = []
    for value in values.lower().split(","):
        if value not in allowed:
            raise Unreadable(f"{value[:40]!r} is none of {', '.join(dict.fromkeys(allowed.values()))}.")
        found.append(allowed[value])
    return tuple(found)


def _kinds(value: str, now: datetime) -> tuple[str, ...]:
    return _one_of(value, {name: source.kind for source in sources() for name in _names(source.kind)})


def _names(kind: str) -> tuple[str, str]:
    return (kind, f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s")


def _has(value: str, now: datetime) -> tuple[str, ...]:
    allowed = {name: source.kind for source in sources() for name in _names(source.kind)}
    return _one_of(value, {**allowed, "tag": "tag", "tags": "tag"})


def _phase(value: str, now: datetime) -> tuple[str, ...]:
    short = {phase.value.split("_")[0]: phase.value for phase in Phase}
    return _one_of(value, {**short, "post-incident": "post_incident", **{phase.value: phase.value for phase in Phase}})


def _severity(value: str, now: datetime) -> tuple[str, ...]:
    return _one_of(value, {"info": "informational", **{one.value: one.value for one in Severity}})


def _is(value: str, now: datetime) -> tuple[str, ...]:
    return _one_of(value, {one: one for one in IS})


def _reference(value: str, now: datetime) -> str:
    return value.upper()[:20]


def _text(value: str, now: datetime) -> str:
    return value.lower()[:150]


def _technique(value: str, now: datetime) -> str:
    if not _TECHNIQUE.fullmatch(value.lower()):
        raise Unreadable("a technique is written T1547 or T1547.001.")
    return value.lower()


def _hash(value: str, now: datetime) -> Term:
    low = value.lower()
    prefix = low.endswith("*") or len(low) not in (32, 40, 64, 128)
    if not _HEX.fullmatch(low.rstrip("*")):
        raise Unreadable("a hash is 6 or more hexadecimal digits; the beginning of one is enough.")
    return Term((low.rstrip("*"),), prefix)


def _ip(value: str, now: datetime) -> Term:
    typed = words.plain(value)
    if typed.endswith("*") and re.fullmatch(r"\d{1,3}\.(\d{1,3}\.){0,2}\d{0,3}\*", typed):
        return Term((typed[:-1],), prefix=True)
    try:
        return Term((str(ipaddress.ip_address(typed)),))
    except ValueError:
        raise Unreadable(f"{value[:40]!r} is no address. As in 10.0.0.7, 10.0.* or 2001:db8::1.") from None


def _moment(value: str, now: datetime) -> datetime:
    low = value.lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if low in ("today", "yesterday"):
        return midnight - timedelta(days=low == "yesterday")
    try:
        if span := _SPAN.fullmatch(low):
            return now - timedelta(hours=int(span[1]) * _HOURS[span[2]])
        if day := _DAY.fullmatch(low):
            return midnight.replace(year=int(day[1]), month=int(day[2] or 1), day=int(day[3] or 1))
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError):
        raise Unreadable(f"{value[:40]!r} is no time. As in 2026-11-20, 2026-11, today, 7d or 36h.") from None


FIELDS: Final[dict[str, Known]] = {
    "kind": Known("What it is", "kind:note", _kinds),
    "case": Known("In this case", "case:IR-2026-0001", _reference),
    "severity": Known("Of cases of this severity", "severity:high,critical", _severity),
    "phase": Known("Of cases in this phase", "phase:containment", _phase),
    "status": Known("Its state, as of an item or a run", "status:failed", _text),
    "owner": Known("Whose it is: a user name, or me", "owner:me", _text),
    "tag": Known("Of cases with this tag", "tag:ransomware", _text),
    "technique": Known("With this ATT&CK technique", "technique:T1547", _technique),
    "hash": Known("Holds this hash, or one that begins so", "hash:9f86d081884c", _hash),
    "ip": Known("Holds this address", "ip:10.0.0.7", _ip),
    "before": Known("Happened before", "before:2026-11-20", _moment),
    "after": Known("Happened at or after", "after:7d", _moment),
    "is": Known("Of cases that are open, closed, mine, confidential, an exercise", "is:open", _is),
    "has": Known("Of cases that have such a thing", "has:evidence", _has),
}
