"""Codes in words for people: ids of hunts, Microsoft Graph's names, keys of details. Pages and reports say the same."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

# `microsoftDefenderForEndpoint`, `processEvidence`, `registry-run-keys`
_CODE: Final = re.compile(r"[a-z0-9]+(?:[A-Z][a-z0-9]*)+|[a-z0-9]+(?:-[a-z0-9]+)+")
_PROPER: Final = {
    "dfir": "DFIR", "id": "ID", "ip": "IP", "lsass": "LSASS", "office": "Office", "os": "OS",
    "powershell": "PowerShell", "run": "Run", "sha256": "SHA-256", "sid": "SID", "smb": "SMB", "upn": "UPN",
    "url": "URL", "windows": "Windows",
}  # fmt: skip
_EVIDENCE: Final = "Evidence"
_ORIGINS: Final = {
    "dfir": "DFIR script's CSV", "events": "Event log", "file": "File as it is", "hunt": "Hunt result",
    "mapping": "Mapped from an event log",
}  # fmt: skip


def id_words(identifier: str) -> str:
    """`dfir-triage` as `DFIR triage`. The case knows ids only: hunts and collections belong to the apps above."""
    first, *rest = (_PROPER.get(word, word) for word in identifier.split("-"))
    return " ".join([first[:1].upper() + first[1:], *rest])


def key_words(key: str) -> str:
    """`display_name` as `Display name`, `sid` as `SID`."""
    return id_words(key.replace("_", "-"))


def service_name(source: str) -> str:
    """`microsoftDefenderForEndpoint` as `Microsoft Defender for Endpoint`: Graph's serviceSource in words; and
    `processEvidence` as `Process evidence`.

    https://learn.microsoft.com/graph/api/resources/security-alert#servicesource-values
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", source)
    if source.endswith(_EVIDENCE):
        return words[:1].upper() + words[1:].lower()
    words = words.replace(" For ", " for ").replace(" Ad ", " AD ")
    return words[:1].upper() + words[1:]


def evidence_kind(kind: str) -> str:
    """Graph's `cloudApplicationEvidence` as `cloud application`."""
    return service_name(kind).removesuffix(" evidence").lower()


def source_words(source: str) -> str:
    """Where an event was learnt, for people: Graph's names and ids of hunts in words, each once; the rest as it is."""
    parts = list(dict.fromkeys(source.split()))
    if not any(_CODE.fullmatch(part) for part in parts):
        return source
    return ", ".join(id_words(part) if "-" in part else service_name(part) for part in parts)


def origin_words(origin: str) -> str:
    """What made a table, as `artifacts` names it."""
    return _ORIGINS.get(origin, origin)


def detail_words(value: object) -> str:
    """A value of a log entry's detail: objects as `name value`, times to the second in UTC, the rest as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {detail_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(detail_words(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and len(value) > 18 and value[10] == "T":
        return _moment(value)
    return "–" if value is None else str(value)


def _moment(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at.tzinfo else text


def counted(number: int, noun: str) -> str:
    """`1 row`, `2,007 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# What people are told of a custody entry, in this order. The hashes of the exhibit itself stand above its chain.
_SAID: Final = (
    "holder", "giver", "receiver", "purpose", "place", "seal", "seal_before", "serial", "source", "acquired_by",
    "stated_sha256", "happened_at", "reason", "what",
    "result", "by", "form", "password", "mark", "in_spite_of", "format", "acknowledged_by", "from_case",
    "from_exhibit", "last_digest",
)  # fmt: skip


def said_of(entry: Any) -> list[tuple[str, str]]:
    """What a custody entry says beside who and when: [("Place", "Lab 2"), …]; of an export also its hashes."""
    detail: Mapping[str, object] = entry.detail if isinstance(entry.detail, Mapping) else {}
    names = [*_SAID, *(("sha256", "files_sha256") if entry.action == "exported" else ())]
    return [(key_words(name), detail_words(detail[name])) for name in names if detail.get(name) not in (None, "")]
