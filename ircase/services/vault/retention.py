"""What is due for review: evidence of closed cases whose time is over. Nothing goes without a person's review."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from ircase import access
from ircase.models import (
    FINAL_STATES,
    Case,
    Destruction,
    Evidence,
    LegalHold,
    RetentionPolicy,
    RetentionReview,
    User,
)
from ircase.services import log

MOST_DAYS = 36_500


@transaction.atomic
def save_policy(*, policy: RetentionPolicy, actor: User) -> RetentionPolicy:
    """Make or change a policy of the site. Raises PermissionDenied, ValidationError."""
    access.require_administrator(actor)
    new = policy.pk is None
    policy.changed_by, policy.changed_at = actor, timezone.now()
    policy.full_clean()
    policy.save()
    facts = {
        name: getattr(policy, name) for name in ("name", "tlp", "classification", "kind", "days", "enabled", "why")
    }
    log.record("retention.policy_made" if new else "retention.policy_changed", actor=actor, **facts)
    return policy


def with_days(rows: QuerySet[Evidence]) -> QuerySet[Evidence]:
    """`days` on each exhibit: how long the longest policy that fits keeps it after closing; None: for ever."""
    policies = list(RetentionPolicy.objects.filter(enabled=True).order_by("-days"))
    days: Any = Value(None, output_field=IntegerField())
    if policies:
        whens = [When(_fits(policy), then=Value(policy.days)) for policy in policies]
        days = models.Case(*whens, default=None, output_field=IntegerField())
    return rows.annotate(days=days)


def _fits(policy: RetentionPolicy) -> Q:
    wanted = Q(pk__isnull=False)
    if policy.tlp:
        wanted &= Q(case__tlp=policy.tlp)
    if policy.classification:
        wanted &= Q(case__classification=policy.classification)
    if policy.kind:
        wanted &= Q(kind=policy.kind)
    return wanted


def due(cases: QuerySet[Case], now: datetime | None = None) -> QuerySet[Evidence]:
    """Exhibits of these cases whose time is over, that nobody holds, has kept on, or has asked to destroy.

    A certificate of destruction is never due.
    """
    now = now or timezone.now()
    every = sorted(set(RetentionPolicy.objects.filter(enabled=True).values_list("days", flat=True)))
    over = Q(pk__in=[])
    for days in every:
        over |= Q(days=days, case__closed_at__lte=now - timedelta(days=days))
    rows = with_days(Evidence.objects.filter(case__in=cases.values("pk"), case__closed_at__isnull=False)).filter(over)
    holds = LegalHold.objects.filter(case=OuterRef("case"), lifted_at=None)
    holds = holds.filter(Q(evidence=None) | Q(evidence=OuterRef("pk")))
    kept = RetentionReview.objects.filter(evidence=OuterRef("pk"), keep_until__gt=now)
    asked = Destruction.objects.exclude(state__in=FINAL_STATES).filter(exhibits=OuterRef("pk"))
    return (
        rows.exclude(integrity=Evidence.Integrity.DESTROYED)
        .filter(certificate_of=None)
        .exclude(Exists(holds))
        .exclude(Exists(kept))
        .exclude(Exists(asked))
        .select_related("case")
        .order_by("case__closed_at", "case_id", "number")
    )


@transaction.atomic
def keep(*, case: Case, actor: User, exhibits: Collection[Evidence], days: int, reason: str) -> None:
    """A person looked, and keeps these for so many days more. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can decide how long its evidence is kept.")
    if not exhibits:
        raise ValidationError("Choose at least one exhibit.")
    if not 0 < days <= MOST_DAYS:
        raise ValidationError(f"Keep it for 1 to {MOST_DAYS:,} days.")
    if not reason.strip():
        raise ValidationError("Say why it is kept.")
    until = timezone.now() + timedelta(days=days)
    RetentionReview.objects.bulk_create(
        RetentionReview(evidence=item, by=actor, keep_until=until, reason=reason.strip()) for item in exhibits
    )
    names = ", ".join(sorted(item.exhibit for item in exhibits))
    log.record("retention.kept", case=case, actor=actor, exhibits=names, until=until.isoformat(), reason=reason.strip())
