"""Defender's answers about a file or a device, as the pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime

from liveresponse.models import Lookup
from liveresponse.services.lookups import QUESTIONS

_TITLES: Final = {
    ("file", "file"): "The file", ("file", "stats"): "In the organisation, 30 days",
    ("file", "machines"): "Devices that saw it", ("file", "alerts"): "Alerts that name it",
    ("device", "machine"): "The device", ("device", "users"): "Accounts that signed in",
    ("device", "alerts"): "Alerts",
}  # fmt: skip
_STATES: Final = {
    "answered": ("Answered", "ok"), "unknown": ("Unknown to Defender", "info"), "refused": ("Refused", "warn"),
    "failed": ("Failed", "danger"), "not_asked": ("Not asked", "info"),
}  # fmt: skip
_FACTS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    ("file", "file"): (
        ("Determination", "determination"), ("Threat", "threat"), ("Publisher", "publisher"), ("Product", "product"),
        ("Signer", "signer"), ("Issuer", "issuer"), ("Certificate valid", "is_certificate_valid"),
        ("Size in bytes", "size"), ("Executable", "is_pe"), ("Devices worldwide", "prevalence"),
        ("First seen worldwide", "first_seen"), ("Last seen worldwide", "last_seen"), ("SHA-256", "sha256"),
        ("SHA-1", "sha1"), ("MD5", "md5"),
    ),
    ("file", "stats"): (
        ("Devices here", "prevalence"), ("First seen here", "first_seen"), ("Last seen here", "last_seen"),
        ("Names", "names"), ("Devices worldwide", "world_prevalence"),
    ),
    ("device", "machine"): (
        ("Operating system", "os_platform"), ("Version", "os_version"), ("Health", "health"), ("Risk", "risk"),
        ("Exposure", "exposure"), ("Value", "value"), ("Onboarding", "onboarding"), ("Last report", "last_seen"),
        ("First seen", "first_seen"), ("Last address", "last_ip"), ("Addresses", "ips"),
        ("External address", "last_external_ip"), ("Device group", "group"), ("Tags", "tags"),
        ("DNS name", "dns_name"), ("DeviceId", "id"), ("Entra device id", "entra_device_id"),
    ),
}  # fmt: skip
_ALERTS: Final = (
    ("Alert", "title"), ("Severity", "severity"), ("Status", "status"), ("Created", "created"),
    ("Techniques", "techniques"),
)  # fmt: skip
_LISTS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    ("file", "machines"): (
        ("Device", "dns_name"), ("Risk", "risk"), ("Health", "health"), ("Last report", "last_seen"),
    ),
    ("file", "alerts"): _ALERTS,
    ("device", "alerts"): _ALERTS,
    ("device", "users"): (
        ("Account", "name"), ("Domain", "domain"), ("Logon types", "logon_types"), ("Domain admin", "is_domain_admin"),
        ("Last seen", "last_seen"),
    ),
}  # fmt: skip
_NONE: Final = {
    "machines": "Defender saw it on no device.", "alerts": "No alert.", "users": "Nobody was seen to sign in.",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A cell: its text, or a moment; `device` is the device that a link leads to."""

    text: str
    at: datetime | None = None
    device: str = ""


@dataclass(frozen=True)
class Shown:
    """One answer. `facts` are names with values, or `columns` and `rows`; `nothing` is said for an empty list."""

    name: str
    title: str
    state: str
    tone: str
    said: str
    as_of: datetime | None
    facts: tuple[tuple[str, Value], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    nothing: str = ""
    cut: bool = False


def shown(lookup: Lookup | None) -> list[Shown]:
    """The answers there are, in the order of the questions."""
    if lookup is None:
        return []
    found = ((name, lookup.answers.get(name)) for name in QUESTIONS[lookup.kind])
    return [_shown(lookup.kind, name, answer) for name, answer in found if isinstance(answer, dict)]


def _shown(kind: str, name: str, answer: Mapping[str, Any]) -> Shown:
    state, tone = _STATES.get(str(answer.get("state")), ("", "info"))
    data = answer.get("data")
    place = (kind, name)
    facts: tuple[tuple[str, Value], ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    columns = _LISTS.get(place, ())
    if isinstance(data, Mapping):
        facts = tuple((label, _value(key, data[key])) for label, key in _FACTS.get(place, ()) if _says(data.get(key)))
    elif isinstance(data, list):
        rows = tuple(tuple(_value(key, row.get(key)) for _, key in columns) for row in data if isinstance(row, Mapping))
    return Shown(
        name=name, title=_TITLES[place], state=state, tone=tone, said=str(answer.get("said") or ""),
        as_of=_moment(answer.get("as_of")), facts=facts, columns=tuple(label for label, _ in columns), rows=rows,
        nothing=_NONE.get(name, "") if data == [] else "", cut=bool(answer.get("cut")),
    )  # fmt: skip


def _says(value: Any) -> bool:
    return value not in (None, "", [], ())


def _value(key: str, value: Any) -> Value:
    if isinstance(value, bool):
        return Value("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Value(", ".join(str(item) for item in value))
    if isinstance(value, int):
        return Value(f"{value:,}")
    text = "" if value is None else str(value)
    at = _moment(text) if key.endswith(("seen", "created")) else None
    return Value(text, at, text if key == "dns_name" else "")


def _moment(value: Any) -> datetime | None:
    try:
        return parse_datetime(str(value)) if value else None
    except ValueError:
        return None
