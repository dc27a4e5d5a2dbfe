"""Many indicators changed at once, in one transaction with one entry in the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.models import Case, Indicator, Pap, Tlp, User
from ircase.search import index
from ircase.services import log
from ircase.services.analysis import findings, tagging

MOST: Final = 500


@transaction.atomic
def change_indicators(
    *,
    case: Case,
    actor: User,
    uuids: Sequence[UUID],
    verdict: str = "",
    reason: str = "",
    tlp: str = "",
    pap: str = "",
    expires_at: datetime | None = None,
    add_tags: Sequence[str] = (),
    remove_tags: Sequence[str] = (),
) -> int:
    """Judge these indicators (with a reason), set their TLP, PAP or expiry, give or take tags. How many there were.
    Raises ValidationError."""
    if not (verdict or tlp or pap or expires_at or add_tags or remove_tags):
        raise ValidationError("Say what is to change.")
    if len(uuids) > MOST:
        raise ValidationError(f"At most {MOST} indicators are changed at once.")
    rows = list(Indicator.objects.filter(case=case, uuid__in=set(uuids)).select_for_update())
    if not rows:
        raise ValidationError("Choose the indicators that are to change.")
    own: dict[str, Any] = {}
    if verdict:
        own |= {"verdict": Indicator.Verdict(verdict), "verdict_reason": findings.clean(reason)}
        own |= {"verdict_by": actor, "verdict_at": timezone.now()}
    own |= {"tlp": Tlp(tlp)} if tlp else {}
    own |= {"pap": Pap(pap)} if pap else {}
    own |= {"expires_at": expires_at} if expires_at else {}
    if own:
        Indicator.objects.filter(pk__in=[one.pk for one in rows]).update(**own)
    if verdict:
        index.write_status("indicator", rows, own["verdict"])
    links = Indicator.tags.through
    tags = tagging.tags_of(case, add_tags)
    links.objects.bulk_create(
        [links(indicator_id=one.pk, findingtag_id=tag.pk) for one in rows for tag in tags], ignore_conflicts=True
    )
    if remove_tags:
        links.objects.filter(indicator__in=rows, findingtag__name__in=remove_tags).delete()
    log.record(
        "indicator.changed_many", case=case, actor=actor, count=len(rows), values=[one.value[:200] for one in rows],
        verdict=verdict, reason=reason[:500], tlp=tlp, pap=pap, tags=list(add_tags), tags_removed=list(remove_tags),
        expires_at=expires_at.isoformat() if expires_at else "",
    )  # fmt: skip
    return len(rows)
