"""Whether an exhibit leaves as it is or only in an encrypted zip, and why.

The default is careful: what a verdict or Defender calls harmful, what was marked so, and everything that is recognised
as able to run or to carry code, leaves packed. Only a lead's mark `safe`, with a reason, lets it leave as it is, and
only for the reasons that were known then.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from artifacts.looks import shapes
from ircase.models import Case, Evidence, Handling, Indicator, User
from ircase.services import evidence, log

logger = logging.getLogger(__name__)
_HARMFUL: Final = (Indicator.Verdict.MALICIOUS, Indicator.Verdict.SUSPICIOUS)
LEAST_REASON: Final = 10


@dataclass(frozen=True)
class Why:
    """`code` is stable and kept with a mark; `text` is a sentence's end for people: “its hash is judged malicious”."""

    code: str
    text: str


Source = Callable[[Case, str], tuple[Why, ...]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """An app above knows more of files: what it says of a case's SHA-256 counts. Called when Django starts."""
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
    handling = recognised(item)
    whys = _whys(item, handling)
    if handling.mark == Handling.Mark.SAFE:
        return Rule(handling, whys, tuple(why for why in whys if why.code not in handling.covers))
    if handling.mark == Handling.Mark.MALICIOUS:
        marked = Why("mark", f"it is marked as malicious: {handling.reason}")
        return Rule(handling, (marked, *whys), (marked, *whys))
    return Rule(handling, whys, whys)


def _whys(item: Evidence, handling: Handling) -> tuple[Why, ...]:
    found: list[Why] = []
    verdict = Indicator.objects.filter(
        case=item.case, kind=Indicator.Kind.SHA256, value=item.sha256, verdict__in=_HARMFUL
    ).first()
    if verdict is not None:
        said = verdict.get_verdict_display().lower()
        found.append(Why(f"verdict:{verdict.verdict}", f"its hash is judged {said} on this case"))
    for source in _sources:
        found += source(item.case, item.sha256)
    if handling.version != shapes.VERSION:
        found.append(Why("unseen", "its bytes could not be looked at yet"))
    elif handling.danger and not _is_own_report(item):
        words = f"it is {shapes.danger_words(handling.danger)} ({handling.form})"
        found.append(Why(f"shape:{handling.danger}", words))
    return tuple(found)


def _is_own_report(item: Evidence) -> bool:
    """A PDF that this site made itself. One that came with an imported case is anybody's."""
    if item.kind != Evidence.Kind.REPORT:
        return False
    first = item.custody.order_by("sequence").first()
    return first is not None and first.action == "sealed"


def recognised(item: Evidence) -> Handling:
    """What the bytes are, looked at once; an unsaved row where the store does not give them."""
    known = Handling.objects.filter(evidence=item).select_related("marked_by").first()
    if known is not None and known.version == shapes.VERSION:
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
    row = recognised(item)
    whys = _whys(item, row)
    row, _ = Handling.objects.select_for_update().get_or_create(evidence=item)
    row.mark, row.reason, row.marked_by, row.marked_at = mark, reason, actor, timezone.now()
    row.covers = [why.code for why in whys] if mark == Handling.Mark.SAFE else []
    row.save()
    said = mark or "taken_back"
    log.record_custody(item, "marked", actor=actor, mark=said, reason=reason, in_spite_of=row.covers)
    log.record("evidence.marked", case=item.case, actor=actor, exhibit=item.exhibit, mark=said, reason=reason)
    return row
