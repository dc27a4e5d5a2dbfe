"""Looking at rows made from evidence is a touch of the evidence: custody knows of it, once an hour per person."""

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
