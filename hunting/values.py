"""Typed values for hunts: what a person or the case gives, checked and brought into one spelling.

Nothing here becomes query text by pasting: `typed` hands values to `kql.literals`, which writes literals.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from kql.literals import TypedValue
from kql.types import KqlType, datetime_text, parse_datetime, parse_timespan, timespan_text

MAX_TEXT: Final = 4096
MAX_LIST: Final = 1000
MAX_SPAN: Final = timedelta(days=3650)
NOW: Final = "now"
"""A datetime that is pinned to the moment of queueing."""


class ParameterError(ValueError):
    """A value does not fit its type. The message says what is expected."""


@dataclass(frozen=True)
class Kind:
    """A parameter's type: `name` is a key of KINDS, `many` a list of it."""

    name: str
    many: bool = False

    def __str__(self) -> str:
        return f"list[{self.name}]" if self.many else self.name

    @property
    def kql(self) -> KqlType:
        return KINDS[self.name].kql

    @property
    def label(self) -> str:
        """For people."""
        return f"{KINDS[self.name].label}, one per line" if self.many else KINDS[self.name].label


@dataclass(frozen=True)
class _Spec:
    label: str
    kql: KqlType
    normalise: Callable[[str], str]


def parse_type(text: str) -> Kind:
    """`upn`, `list[sha256]`, … Raises ParameterError."""
    match = re.fullmatch(r"(?:list\[(\w+)\]|(\w+))", text)
    name = (match[1] or match[2]) if match else ""
    if match is None or name not in KINDS:
        raise ParameterError(f"{text!r} is no type; use one of {', '.join(KINDS)} or list[…] of one.")
    kind = Kind(name, many=bool(match[1]))
    if kind.many and kind.kql in ("datetime", "timespan"):
        # A dynamic array is JSON, which has neither.
        raise ParameterError(f"A list of {name} cannot be bound; take parameters one by one.")
    return kind


def parse(kind: Kind, given: Any) -> Any:
    """A value in its one spelling, as JSON keeps it: text, or a list of texts for `many`. Empty is "" or [].

    Raises ParameterError with what is expected.
    """
    if kind.many:
        return _parse_list(kind, given)
    text = _text(given)
    return KINDS[kind.name].normalise(text) if text else ""


def _parse_list(kind: Kind, given: Any) -> list[str]:
    # A text field holds one value a line; values of most types may also be separated by commas.
    separator = r"[\r\n]+" if kind.name in ("string", "url") else r"[\s,;]+"
    items: Sequence[Any] = re.split(separator, given) if isinstance(given, str) else given or ()
    if not isinstance(items, list | tuple):
        raise ParameterError(f"Give {kind.label.lower()}.")
    found = dict.fromkeys(KINDS[kind.name].normalise(text) for item in items if (text := _text(item)))
    if len(found) > MAX_LIST:
        raise ParameterError(f"At most {MAX_LIST} values.")
    return list(found)


def _text(given: Any) -> str:
    if given is None:
        return ""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, datetime):
        return datetime_text(given) if given.tzinfo else given.isoformat()
    if isinstance(given, timedelta):
        return timespan_text(given)
    if not isinstance(given, str | int):
        raise ParameterError("Give one value, as text.")
    text = str(given).strip()
    if len(text) > MAX_TEXT:
        raise ParameterError(f"At most {MAX_TEXT} characters.")
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ParameterError("Control characters are not accepted here.")
    return text


def typed(kind: Kind, value: Any) -> TypedValue:
    """What `parse` gave, as `kql.literals` binds it. An empty value is the type's null (for text: empty)."""
    if kind.many:
        return TypedValue([_value(kind.kql, item) for item in value], kind.kql, many=True)
    return TypedValue(_value(kind.kql, value) if value != "" else None, kind.kql)


def _value(kind: KqlType, text: str) -> Any:
    readers: dict[KqlType, Callable[[str], Any]] = {
        "long": int,
        "bool": lambda t: t == "true",
        "datetime": parse_datetime,
        "timespan": span_of,
    }
    return readers.get(kind, str)(text)


_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def span_of(text: str) -> timedelta:
    """`48h`, `7d`, `90m`, `30s` or KQL's `d.hh:mm:ss`. Raises ParameterError; a span is positive, ten years at most."""
    short = re.fullmatch(r"(\d{1,7})\s*([dhms])", text, re.ASCII)
    try:
        span = timedelta(**{_UNITS[short[2]]: int(short[1])}) if short else parse_timespan(text)
    except (ValueError, OverflowError):
        raise ParameterError("A time span is written 48h, 7d, 90m, 30s or 1.12:00:00.") from None
    if not timedelta(0) < span <= MAX_SPAN:
        raise ParameterError("A time span is more than nothing and at most ten years.")
    return span


def _span(text: str) -> str:
    span_of(text)
    return re.sub(r"\s", "", text)


def _datetime(text: str) -> str:
    if text.lower() == NOW:
        return NOW
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError("A time is written 2026-11-20T17:30:00Z.") from None
    if moment.tzinfo is None:
        raise ParameterError("Name the time zone: Z for UTC, or an offset as in +01:00.")
    return datetime_text(moment.astimezone(UTC))


def _refang(text: str) -> str:
    text = re.sub(r"\[\.\]|\(\.\)|\[dot\]", ".", text, flags=re.IGNORECASE).replace("[:]", ":")
    return re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)


def _pattern(pattern: str, expected: str, change: Callable[[str], str] = str.lower) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)

    def normalise(text: str) -> str:
        value = change(text)
        if not compiled.fullmatch(value):
            raise ParameterError(expected)
        return value

    return normalise


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(_refang(text)))
    except ValueError:
        raise ParameterError("An IP address is written 203.0.113.7 or 2001:db8::7.") from None


def _url(text: str) -> str:
    url = _refang(text)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https", "ftp") or not parts.hostname or re.search(r"\s", url):
        raise ParameterError("A URL is written https://host/path.")
    return url


def _domain(text: str) -> str:
    try:
        name = _refang(text).rstrip(".").encode("idna").decode()
    except UnicodeError:
        name = ""
    return _pattern(_HOST, "A domain name is written example.com.")(name)


def _int(text: str) -> str:
    if not re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII) or not -(2**63) <= int(text) < 2**63:
        raise ParameterError("A whole number of at most 64 bits.")
    return str(int(text))


def _bool(text: str) -> str:
    value = {"true": "true", "yes": "true", "1": "true", "on": "true", "false": "false", "no": "false", "0": "false"}
    if text.lower() not in value:
        raise ParameterError("true or false.")
    return value[text.lower()]


_HOST: Final = r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
_hash = "{} hexadecimal digits."

KINDS: Final[dict[str, _Spec]] = {
    "string": _Spec("Text", "string", lambda text: text),
    "device_id": _Spec("Device id", "string", _pattern(r"[0-9a-f]{40}", f"A Defender device id is {_hash.format(40)}")),
    "device_name": _Spec(
        "Device name", "string", _pattern(_HOST, "A device name is a DNS name: letters, digits, hyphens and dots.")
    ),
    "upn": _Spec(
        "Account (UPN)",
        "string",
        _pattern(r"[^@\s\"<>|;]{1,200}@[a-z0-9.-]{1,200}", "A user principal name is written name@example.com."),
    ),
    "sid": _Spec("SID", "string", _pattern(r"S-1-\d{1,15}(-\d{1,10}){1,15}", "A SID begins with S-1-.", str.upper)),
    "sha1": _Spec("SHA-1", "string", _pattern(r"[0-9a-f]{40}", f"A SHA-1 is {_hash.format(40)}")),
    "sha256": _Spec("SHA-256", "string", _pattern(r"[0-9a-f]{64}", f"A SHA-256 is {_hash.format(64)}")),
    "md5": _Spec("MD5", "string", _pattern(r"[0-9a-f]{32}", f"An MD5 is {_hash.format(32)}")),
    "ip": _Spec("IP address", "string", _ip),
    "url": _Spec("URL", "string", _url),
    "domain": _Spec("Domain name", "string", _domain),
    "int": _Spec("Whole number", "long", _int),
    "bool": _Spec("Yes or no", "bool", _bool),
    "datetime": _Spec("Time", "datetime", _datetime),
    "timespan": _Spec("Time span", "timespan", _span),
}
