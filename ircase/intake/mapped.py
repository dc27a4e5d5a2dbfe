"""Incidents of other systems in the form of Graph's: which field is read from where is data, never code.

A mapping: {"items": "records", "fields": {"title": "alert.name", "devices": "hosts[].fqdn"}, "severities": {"5":
"high"}, "zone": "Europe/Copenhagen"}. A path is names joined by dots; `[]` after a name means each of a list. `items`
is the path of the list of incidents, empty where the body is one incident or a list of them. `zone` is that of times
which name none.
"""

import hashlib
import json
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ircase.services.analysis.findings import clean_json

ONE: Final = ("id", "title", "description", "severity", "status", "created", "updated", "url")
MANY: Final = ("devices", "accounts", "mailboxes", "addresses", "domains", "urls", "hashes", "techniques")
FIELDS: Final = (*ONE, *MANY)
MOST_ITEMS: Final = 500
MOST_VALUES: Final = 100
_LONGEST_PATH: Final = 200
_LONGEST: Final = 20_000
_SEVERITIES: Final = ("informational", "low", "medium", "high", "critical", "unknown")
_ALIASES: Final[Mapping[str, str]] = {"info": "informational", "information": "informational", "moderate": "medium",
                                      "severe": "high"}  # fmt: skip
_ENDED: Final = frozenset({"resolved", "closed", "done", "false positive", "false_positive"})


class Unmappable(ValueError):
    """One incident cannot be read, for the reason that the message tells."""


@dataclass(frozen=True)
class Origin:
    """What every incident of a delivery shares. `plain`: keys are columns, dots in them mean nothing."""

    name: str
    at: datetime
    plain: bool = False


def problems_of(mapping: Any) -> list[str]:
    """What is wrong with a mapping, in sentences; empty where it can be used."""
    if not isinstance(mapping, dict):
        return ["The mapping is a JSON object."]
    found = [
        f"There is no {key!r} in a mapping." for key in mapping if key not in {"items", "fields", "severities", "zone"}
    ]
    fields = mapping.get("fields")
    if not isinstance(fields, dict):
        return [*found, 'A mapping needs "fields", an object of our field to their path.']
    found += [f"There is no field {key!r}; there are {', '.join(FIELDS)}." for key in fields if key not in FIELDS]
    found += [f"The path of {key} is a text." for key, path in fields.items() if not _is_path(path)]
    if not fields.get("title"):
        found.append('A mapping needs at least the field "title".')
    if not _is_path(mapping.get("items", "")):
        found.append('"items" is the path of a list.')
    severities = mapping.get("severities", {})
    if not isinstance(severities, dict) or any(value not in _SEVERITIES for value in severities.values()):
        found.append(f'"severities" maps their words to ours: {", ".join(_SEVERITIES)}.')
    if mapping.get("zone") and _zone(mapping) is None:
        found.append(f"There is no time zone {str(mapping['zone'])[:60]!r}; it is written Europe/Copenhagen.")
    return found


def _is_path(path: Any) -> bool:
    return isinstance(path, str) and len(path) <= _LONGEST_PATH


def items_of(document: Any, mapping: Mapping[str, Any]) -> list[Any]:
    """The incidents of a body. Raises Unmappable where there are none or too many."""
    path = mapping.get("items", "")
    found = [item for one in values(document, path) for item in _each(one)] if path else list(_each(document))
    if not found:
        raise Unmappable("The body holds no incident" + (f" at {path}." if path else "."))
    if len(found) > MOST_ITEMS:
        raise Unmappable(f"The body holds {len(found)} incidents; {MOST_ITEMS} may come at once.")
    return found


def _each(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else (value,)


def values(item: Any, path: str) -> list[Any]:
    """Everything at `path`, at most MOST_VALUES; an empty list where there is nothing."""
    found = [item]
    for part in path.split("."):
        name, many = part.removesuffix("[]"), part.endswith("[]")
        found = [one[name] for one in found if isinstance(one, dict) and name in one]
        if many:
            found = [inner for one in found if isinstance(one, list) for inner in one]
        found = found[:MOST_ITEMS]
    return found


def incident_of(item: Any, mapping: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """The item as Graph would give it, with one alert; itself whole under "original". Raises Unmappable."""
    if not isinstance(item, dict):
        raise Unmappable("An incident is an object.")
    fields = mapping["fields"]
    one = {name: _one(item, fields.get(name, ""), origin) for name in ONE}
    if not one["title"].strip():
        raise Unmappable(f"It has no title: {fields['title']!r} is empty or missing.")
    number = one["id"].strip() or hashlib.sha256(_canonical(item)).hexdigest()[:32]
    if len(number) > 64:
        number = hashlib.sha256(number.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    created = _time(one["created"], mapping) or origin.at
    updated = _time(one["updated"], mapping) or max(created, origin.at)
    severity = _severity(one["severity"], mapping)
    alert = {
        "id": number,
        "title": one["title"][:500],
        "description": one["description"][:_LONGEST],
        "severity": severity,
        "serviceSource": origin.name,
        "createdDateTime": created.isoformat(),
        "mitreTechniques": _many(item, fields.get("techniques", ""), origin),
        "evidence": list(_evidence(item, fields, origin)),
    }
    return {
        "id": number,
        "displayName": one["title"][:500],
        "description": one["description"][:_LONGEST],
        "severity": severity,
        "status": "resolved" if one["status"].strip().lower() in _ENDED else "active",
        "createdDateTime": created.isoformat(),
        "lastUpdateDateTime": updated.isoformat(),
        "incidentWebUrl": one["url"],
        "alerts": [alert],
        "original": clean_json(item),
    }


def _one(item: Mapping[str, Any], path: str, origin: Origin) -> str:
    return next(iter(_texts(item, path, origin)), "")


def _many(item: Mapping[str, Any], path: str, origin: Origin) -> list[str]:
    found = _texts(item, path, origin)
    if origin.plain:
        found = [part for text in found for part in text.replace("\n", ";").split(";")]
    return [text.strip() for text in dict.fromkeys(found) if text.strip()][:MOST_VALUES]


def _texts(item: Mapping[str, Any], path: str, origin: Origin) -> list[str]:
    if not path:
        return []
    found = [item[path]] if origin.plain and path in item else [] if origin.plain else values(item, path)
    flat = [inner for one in found for inner in _each(one)]
    return [str(one) for one in flat if isinstance(one, str | int | float) and not isinstance(one, bool)]


def _severity(text: str, mapping: Mapping[str, Any]) -> str:
    known = {str(key).lower(): str(value) for key, value in mapping.get("severities", {}).items()}
    word = text.strip().lower()
    word = known.get(word, _ALIASES.get(word, word))
    return word if word in _SEVERITIES else "unknown"


def _zone(mapping: Mapping[str, Any]) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(str(mapping["zone"]))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _time(text: str, mapping: Mapping[str, Any]) -> datetime | None:
    """The time in UTC, None where there is none. Raises Unmappable where it cannot be read or its zone is not known."""
    text = text.strip()
    if not text:
        return None
    try:
        at = (
            datetime.fromtimestamp(float(text), UTC)
            if text.replace(".", "", 1).isdecimal()
            else datetime.fromisoformat(text)
        )
        if at.tzinfo is None:
            zone = _zone(mapping) if mapping.get("zone") else None
            if zone is None:
                raise Unmappable(f"The time {text[:40]} names no zone; say in the mapping which one is meant.")
            at = at.replace(tzinfo=zone)
        return at.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, Unmappable):
            raise
        raise Unmappable(f"{text[:40]!r} is no time; it is written 2026-11-20T17:30:00+01:00.") from None


def _evidence(item: Mapping[str, Any], fields: Mapping[str, str], origin: Origin) -> Iterator[dict[str, Any]]:
    made: Mapping[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
        "devices": lambda text: ("deviceEvidence", {"deviceDnsName": text}),
        "accounts": lambda text: ("userEvidence", {"userAccount": _account(text)}),
        "mailboxes": lambda text: ("mailboxEvidence", {"primaryAddress": text}),
        "addresses": lambda text: ("ipEvidence", {"ipAddress": text}),
        "domains": lambda text: ("dnsEvidence", {"domainName": text}),
        "urls": lambda text: ("urlEvidence", {"url": text}),
        "hashes": lambda text: ("fileHashEvidence", {"value": text}),
    }
    for name, make in made.items():
        for text in _many(item, fields.get(name, ""), origin):
            kind, said = make(text)
            yield {"@odata.type": f"#microsoft.graph.security.{kind}", **said}


def _account(text: str) -> dict[str, str]:
    if "@" in text:
        return {"userPrincipalName": text}
    domain, _, name = text.rpartition("\\")
    return {"domainName": domain, "accountName": name}


def _canonical(item: Any) -> bytes:
    return json.dumps(item, sort_keys=True, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass")
