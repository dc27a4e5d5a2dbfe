"""Looking at rows made from evidence is a touch of the evidence: custody knows of it, once an hour per person."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from ircase.models import CustodyEntry, Evidence, User
from ircase.services import log

AGAIN_AFTER = timedelta(hours=1)


def note(evidence: Evidence, *, actor: User, what: str) -> None:
    """Write a `viewed` entry, unless this person looked at the same thing within the hour. Call it before showing."""
    since = timezone.now() - AGAIN_AFTER
    recent = CustodyEntry.objects.filter(evidence=evidence, actor=actor, action="viewed", at__gt=since)
    if not any(entry.detail.get("what") == what for entry in recent):
        log.record_custody(evidence, "viewed", actor=actor, what=what)


def note_many(evidence: Sequence[Evidence], *, actor: User, what: str) -> None:
    """The same for several pieces of evidence that one page shows rows of."""
    since = timezone.now() - AGAIN_AFTER
    recent = CustodyEntry.objects.filter(evidence__in=evidence, actor=actor, action="viewed", at__gt=since)
    known = {pk for pk, detail in recent.values_list("evidence", "detail") if detail.get("what") == what}
    for item in evidence:
        if item.pk not in known:
            log.record_custody(item, "viewed", actor=actor, what=what)
