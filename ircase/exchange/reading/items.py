"""What a file of indicators gives: values in our spelling, with what their sender says of them."""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError

from ircase.exchange.texts import plain
from ircase.models import Indicator, Pap, Tlp
from ircase.services.analysis.findings import normalise

Kind = Indicator.Kind
LONGEST: Final = 2_048
LONGEST_WORDS: Final = 500
MOST_FOUND: Final = 5_000


@dataclass(frozen=True)
class Said:
    """What a sender says of one value. `tlp` and `pap` are empty where nothing was said; `note` says why it may better
    be left."""

    tlp: str = ""
    pap: str = ""
    words: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    expires_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class Item:
    """One value; `written` as it stood in the file where that is another spelling."""

    kind: str
    value: str
    written: str
    said: Said

    @property
    def note(self) -> str:
        return self.said.note


@dataclass
class Finds:
    """What a reader gathers."""

    items: list[Item] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    sender: str = ""

    def add(self, kind: str, value: Any, said: Said) -> None:
        """Take a value, or count why it is none."""
        if not isinstance(value, str) or not value.strip():
            self.unknown["a value that is no text"] += 1
        elif len(self.items) >= MOST_FOUND:
            self.unknown[f"more than {MOST_FOUND:,} values"] += 1
        elif len(value) > LONGEST:
            self.unknown[f"a value longer than {LONGEST:,} characters"] += 1
        elif found := _spelled(kind, value):
            self.items.append(Item(kind, found, value if value != found else "", said))
        else:
            self.unknown[f"a value that is no {Kind(kind).label}"] += 1


def _spelled(kind: str, value: str) -> str:
    """One spelling per thing, defanged text made whole; empty for what cannot be of this kind."""
    try:
        found = normalise(kind, plain(value))
        if kind == Kind.IP:
            found = str(ipaddress.ip_address(found))
    except (ValidationError, ValueError):
        return ""
    return found if len(found) <= LONGEST else ""


def moment(value: Any) -> datetime | None:
    """A time of RFC 3339, or seconds since 1970 as a text; None for anything else."""
    text = str(value)[:40] if isinstance(value, str | int) and not isinstance(value, bool) else ""
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def tlp_of(text: str) -> str:
    """`TLP:AMBER`, `tlp:white` and the like as ours; empty for anything else."""
    word = text.lower().removeprefix("tlp:").strip()
    word = {"white": "clear", "amber strict": "amber+strict", "ex:chr": ""}.get(word, word)
    return word if word in Tlp.values else ""


def pap_of(text: str) -> str:
    word = text.lower().removeprefix("pap:").strip()
    word = {"white": "clear"}.get(word, word)
    return word if word in Pap.values else ""


def words_of(*parts: Any) -> str:
    """What a sender wrote, short and on one line."""
    texts = [" ".join(plain(part).split()) for part in parts if isinstance(part, str)]
    return " ".join(text for text in texts if text)[:LONGEST_WORDS]
