"""Whether an exhibit leaves as it is or only in an encrypted zip, and why.

The default is careful: what a verdict or Defender calls harmful, what was marked so, and everything that is recognised
as able to run or to carry code, leaves packed. Only a lead's mark `safe`, with a reason, lets it leave as it is, and
only for the reasons that were known then.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from artifacts.looks import shapes
from ircase.models import Case, CustodyEntry, Evidence, Handling, Indicator, User
from ircase.services import evidence, log

logger = logging.getLogger(__name__)
_HARMFUL: Final = (Indicator.Verdict.MALICIOUS, Indicator.Verdict.SUSPICIOUS)
LEAST_REASON: Final = 10
UNSEEN: Final = "unseen"
_BATCH: Final = 5000


@dataclass(frozen=True)
class Why:
    """`code` is stable and kept with a mark; `text` is a sentence's end for people: “its hash is judged malicious”."""

    code: str
    text: str


Source = Callable[[Case, Sequence[str]], Mapping[str, tuple[Why, ...]]]
"""What an app knows against files of a case, by their SHA-256; a hash that nothing is known of may be left out."""
_sources: list[Source] = []


def register(source: Source) -> None:
    """An app above knows more of files: what it says of a case's hashes counts. Called when Django starts."""
    _sources.append(source)


@dataclass(frozen=True)
class Rule:
    """`whys` are all reasons against leaving plain; `open_whys` those that no mark covers."""

    handling: Handling
    whys: tuple[Why, ...]
    open_whys: tuple[Why, ...]

    @property
    def packed(self) -> bool:
        return bool(self.open_whys)

    @property
    def sentence(self) -> str:
        return "; ".join(why.text for why in self.open_whys)


def rule_of(item: Evidence) -> Rule:
    """How the exhibit may leave, as things stand now."""
    return rules_of([item])[item.pk]


def rules_of(items: Sequence[Evidence], *, look: bool = True) -> dict[int, Rule]:
    """The rules of many exhibits of one case, by their primary keys. `look` has bytes that nobody recognised yet looked
    at, which takes a while; without it they count as not looked at.
    """
    found: dict[int, Rule] = {}
    for part in _batches(items):
        known = {row.evidence_id: row for row in Handling.objects.filter(evidence__in=part).select_related("marked_by")}
        if look:
            stale = (item for item in part if not _is_current(known.get(item.pk)))
            known |= {item.pk: recognised(item) for item in stale}
        rows = {item.pk: known.get(item.pk) or Handling(evidence=item) for item in part}
        whys = _whys_of(part, rows)
        found |= {item.pk: _rule(rows[item.pk], whys[item.pk]) for item in part}
    return found


def _batches(items: Sequence[Evidence]) -> Iterator[Sequence[Evidence]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _is_current(row: Handling | None) -> bool:
    return row is not None and row.version == shapes.VERSION


def _rule(handling: Handling, whys: tuple[Why, ...]) -> Rule:
    if handling.mark == Handling.Mark.SAFE:
        return Rule(handling, whys, tuple(why for why in whys if why.code not in handling.covers))
    if handling.mark == Handling.Mark.MALICIOUS:
        marked = Why("mark", f"it is marked as malicious: {handling.reason}")
        return Rule(handling, (marked, *whys), (marked, *whys))
    return Rule(handling, whys, whys)


def _whys_of(items: Sequence[Evidence], rows: Mapping[int, Handling]) -> dict[int, tuple[Why, ...]]:
    """All that speaks against each exhibit, by its primary key. One case's exhibits, as many as one query takes."""
    case, hashes = items[0].case, sorted({item.sha256 for item in items})
    judged = _judged(case, hashes)
    heard = [source(case, hashes) for source in _sources]
    own = _own_reports(items)
    return {
        item.pk: (
            *judged.get(item.sha256, ()),
            *(why for said in heard for why in said.get(item.sha256, ())),
            *_shape(rows[item.pk], own=item.pk in own),
        )
        for item in items
    }


def _judged(case: Case, hashes: Sequence[str]) -> dict[str, tuple[Why, ...]]:
    kind = Indicator.Kind.SHA256
    rows = Indicator.objects.filter(case=case, kind=kind, value__in=hashes, verdict__in=_HARMFUL)
    return {
        row.value: (
            Why(f"verdict:{row.verdict}", f"its hash is judged {row.get_verdict_display().lower()} on this case"),
        )
        for row in rows
    }


def _shape(handling: Handling, *, own: bool) -> tuple[Why, ...]:
    if handling.version != shapes.VERSION:
        return (Why(UNSEEN, "its bytes could not be looked at yet"),)
    if handling.danger and not own:
        words = f"it is {shapes.danger_words(handling.danger)} ({handling.form})"
        return (Why(f"shape:{handling.danger}", words),)
    return ()


def _own_reports(items: Iterable[Evidence]) -> set[int]:
    """The PDFs that this site made itself. One that came with an imported case is anybody's."""
    reports = [item.pk for item in items if item.kind == Evidence.Kind.REPORT]
    if not reports:
        return set()
    first = CustodyEntry.objects.filter(evidence__in=reports, sequence=1, action="sealed")
    return set(first.values_list("evidence_id", flat=True))


def recognised(item: Evidence) -> Handling:
    """What the bytes are, looked at once; an unsaved row where the store does not give them."""
    known = Handling.objects.filter(evidence=item).select_related("marked_by").first()
    if known is not None and _is_current(known):
        return known
    try:
        with evidence.opened(item) as file:
            shape = shapes.shape_of(file, item.size, item.name)
    except (evidence.StoreError, OSError) as error:
        logger.warning("handling.unseen", extra={"exhibit": str(item.uuid), "error": type(error).__name__})
        return known or Handling(evidence=item, looks=["text", "hex", "strings", "metadata"])
    seen = {"form": shape.form, "danger": shape.danger, "looks": list(shape.looks), "version": shapes.VERSION}
    row, _ = Handling.objects.update_or_create(evidence=item, defaults=seen)
    return row


@transaction.atomic
def mark(*, item: Evidence, actor: User, mark: str, reason: str) -> Handling:
    """A lead's word on how it leaves; the empty mark takes it back. Raises ValidationError without a reason."""
    reason = " ".join(reason.split())
    if mark not in Handling.Mark.values:
        raise ValidationError("Mark it as malicious, as safe, or take the mark back.")
    if len(reason) < LEAST_REASON or len(reason) > 500:
        raise ValidationError("Say why, in a sentence of at most 500 letters; custody keeps it.")
    if item.is_destroyed:
        raise ValidationError(f"{item.exhibit} was destroyed; there is nothing to hand out.")
    whys = _whys_of([item], {item.pk: recognised(item)})[item.pk]
    row, _ = Handling.objects.select_for_update().get_or_create(evidence=item)
    row.mark, row.reason, row.marked_by, row.marked_at = mark, reason, actor, timezone.now()
    row.covers = [why.code for why in whys] if mark == Handling.Mark.SAFE else []
    row.save()
    said = mark or "taken_back"
    log.record_custody(item, "marked", actor=actor, mark=said, reason=reason, in_spite_of=row.covers)
    log.record("evidence.marked", case=item.case, actor=actor, exhibit=item.exhibit, mark=said, reason=reason)
    return row
