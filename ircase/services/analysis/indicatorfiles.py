"""Indicators out of a STIX bundle or a MISP event, chosen by a person, onto the case."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.exchange.model import pap_rank, tlp_rank
from ircase.exchange.reading import MOST_ITEMS, FileError, Item, Reading, read
from ircase.indicators import harmless
from ircase.models import Case, Indicator, Pap, Tlp, User
from ircase.recognition import is_elsewhere, is_private
from ircase.services import log
from ircase.services.analysis import findings

_TIMES: Final = ("first_seen", "last_seen", "expires_at")


@dataclass(frozen=True)
class Offered:
    """One item as a person chooses it: why it may better be left, and whether it is chosen at first."""

    item: Item
    label: str
    double: bool
    private: bool
    harmless: str
    expired: bool

    @property
    def chosen(self) -> bool:
        return not (self.double or self.private or self.harmless or self.expired or self.item.note)

    @property
    def token(self) -> str:
        """What the form sends back of it."""
        said = self.item.said
        times = {name: at.isoformat() for name in _TIMES if (at := getattr(said, name))}
        texts = {"tlp": said.tlp, "pap": said.pap, "words": said.words}
        kept = {name: text for name, text in texts.items() if text} | times
        return json.dumps({"kind": self.item.kind, "value": self.item.value, **kept}, ensure_ascii=False)


@dataclass(frozen=True)
class Done:
    added: int
    known: int
    refused: tuple[str, ...]


def reading_of(data: bytes) -> Reading:
    """The indicators of a file. Raises ValidationError."""
    try:
        return read(data)
    except FileError as error:
        raise ValidationError(str(error)) from None


def offered(case: Case, items: Iterable[Item]) -> list[Offered]:
    """Each item with what is known of it here: two queries."""
    there = set(Indicator.objects.filter(case=case).values_list("kind", "value_digest"))
    known = harmless.known()
    now = timezone.now()
    return [_offered(one, there, known, now) for one in items]


def _offered(one: Item, there: set[tuple[str, str]], known: harmless.Known, now: datetime) -> Offered:
    entry = known.of(one.kind, one.value)
    inside = one.kind == Indicator.Kind.IP and not (is_elsewhere(one.value) and not is_private(one.value))
    return Offered(
        item=one,
        label=str(Indicator.Kind(one.kind).label),
        double=(one.kind, harmless.digest(one.value)) in there,
        private=inside,
        harmless=entry.reason if entry else "",
        expired=bool(one.said.expires_at and one.said.expires_at <= now),
    )


@transaction.atomic
def add(
    *, case: Case, actor: User, tokens: Sequence[str], verdict: str, tlp: str, pap: str, tags: Sequence[str] = (),
    sender: str = "", name: str = "",
) -> Done:  # fmt: skip
    """The chosen ones onto the case. Each bears the more closed of its sender's marking and `tlp`, `pap`. One that is
    refused is named; the others are added."""
    added = known = 0
    refused = []
    for token in list(dict.fromkeys(tokens))[:MOST_ITEMS]:
        try:
            new = _add_one(case, actor, _said(token), verdict, tlp, pap, tags, sender=sender, name=name)
        except ValidationError as error:
            refused.append(" ".join(error.messages)[:300])
        else:
            added, known = added + new, known + (not new)
    if added:
        log.record(
            "indicator.file_read", case=case, actor=actor, title=name[:200], sender=sender[:120], added=added,
            of=added + known + len(refused),
        )  # fmt: skip
    return Done(added, known, tuple(refused))


def _said(token: str) -> dict[str, Any]:
    """What the form sent back of one item. Raises ValidationError."""
    try:
        found = json.loads(token)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValidationError("The form names something that is no indicator.")
    return found


def _add_one(
    case: Case, actor: User, said: dict[str, Any], verdict: str, tlp: str, pap: str, tags: Sequence[str], **origin: str
) -> bool:
    if said.get("kind") not in Indicator.Kind.values or not said.get("value"):
        raise ValidationError("The form names something that is no indicator.")
    words = said.get("words", "")[:1_000]
    sender, times = origin["sender"], _times(said)
    return findings.add_indicator(
        case=case,
        actor=actor,
        kind=said["kind"],
        value=said["value"],
        description=f"{sender}: {words}" if sender and words else words or sender,
        tlp=max((tlp, _known(said.get("tlp"), Tlp.values) or tlp), key=tlp_rank),
        pap=max((pap, _known(said.get("pap"), Pap.values) or pap), key=pap_rank),
        verdict=verdict,
        tags=tags,
        provenance={"by": "hand", "file": origin["name"][:200], "sender": sender[:120]},
        first_seen=times.get("first_seen"),
        last_seen=times.get("last_seen"),
        expires_at=times.get("expires_at"),
    )[1]


def _known(value: Any, values: Sequence[str]) -> str:
    return value if value in values else ""


def _times(said: dict[str, Any]) -> dict[str, datetime]:
    """Times in an order that can be: one that cannot is left away."""
    found = {name: at for name in _TIMES if (at := _moment(said.get(name, "")))}
    first, last = found.get("first_seen"), found.get("last_seen")
    if first and last and last < first:
        del found["last_seen"]
    return found


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
