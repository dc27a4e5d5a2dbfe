"""Targets and the assumption behind hours saved: set by administrators, logged."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import access
from ircase.models import Assumption, Target, User
from ircase.services import log
from ircase.services.analysis.findings import clean

Hours = Mapping[tuple[str, str], float | None]


def current() -> dict[tuple[str, str], float]:
    """Hours by measure and severity; an empty severity stands for every one."""
    rows = Target.objects.values_list("measure", "severity", "hours")
    return {(measure, severity): hours for measure, severity, hours in rows}


@transaction.atomic
def save(*, actor: User, hours: Hours) -> None:
    """Set the targets that `hours` names and take away those that it has as None; others stay. Raises PermissionDenied,
    ValidationError."""
    access.require_administrator(actor)
    before = current()
    changed = []
    for (measure, severity), value in hours.items():
        if before.get((measure, severity)) == value:
            continue
        changed.append(f"{measure} {severity or 'every severity'}: {_said(value)}")
        if value is None:
            Target.objects.filter(measure=measure, severity=severity).delete()
            continue
        row = Target.objects.filter(measure=measure, severity=severity).first()
        row = row or Target(measure=measure, severity=severity)
        row.hours, row.changed_by = value, actor
        row.full_clean(exclude=["changed_by"])
        row.save()
    if changed:
        log.record("dashboard.targets", actor=actor, title=", ".join(changed)[:2000])


def _said(hours: float | None) -> str:
    return "none" if hours is None else f"{hours:g} h"


def assumption() -> Assumption | None:
    return Assumption.objects.select_related("changed_by").first()


@transaction.atomic
def assume(*, actor: User, minutes: int | None, reason: str = "") -> Assumption | None:
    """How many minutes a finished hunt saves; None: hours saved are not counted. Raises PermissionDenied,
    ValidationError."""
    access.require_administrator(actor)
    row = Assumption.objects.select_for_update().first()
    if minutes is None:
        if row is not None:
            row.delete()
            log.record("dashboard.assumption", actor=actor, title="none")
        return None
    if not reason.strip():
        raise ValidationError({"reason": "Say where the figure is from: readers have to judge it."})
    row = row or Assumption()
    if (row.minutes, row.reason) == (minutes, clean(reason).strip()):
        return row
    row.minutes, row.reason, row.changed_by = minutes, clean(reason).strip(), actor
    row.full_clean(exclude=["changed_by"])
    row.save()
    log.record("dashboard.assumption", actor=actor, title=f"{minutes} minutes", reason=row.reason)
    return row
