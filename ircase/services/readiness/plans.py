"""Who keeps a connection ready and by what; and the answers about its settings."""

from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import access
from ircase.models import Case, CaseRole, Connection, ReadinessPlan, SettingAnswer, User
from ircase.readiness import rights
from ircase.readiness.settings import settings
from ircase.services import cases, log
from ircase.services.analysis.findings import clean

FIELDS: Final = ("owner", "is_test", "probe_device", "probe", "probe_days", "hunt_days", "gap_days")


@transaction.atomic
def save(*, connection: Connection, actor: User, **values: Any) -> ReadinessPlan:
    """Make or change the plan, any of FIELDS. With an owner it gets a case of its own, which the owner leads. Raises
    PermissionDenied, ValidationError."""
    access.require_administrator(actor)
    unknown = set(values) - set(FIELDS)
    if unknown:
        raise ValidationError(f"These cannot be set: {', '.join(sorted(unknown))}.")
    plan = ReadinessPlan.objects.filter(connection=connection).first() or ReadinessPlan(connection=connection)
    if "probe_device" in values:
        values["probe_device"] = clean(values["probe_device"]).strip().lower()
    before = plan.owner
    changed = [name for name, value in values.items() if getattr(plan, name) != value]
    for name in changed:
        setattr(plan, name, values[name])
    _check(plan)
    plan.changed_at = timezone.now()
    plan.save()
    if plan.owner is not None:
        _give_case(plan, plan.owner, before, actor)
    said = {name: _plain(getattr(plan, name)) for name in changed}
    log.record("readiness.planned", actor=actor, name=connection.name, changes=said)
    return plan


def _check(plan: ReadinessPlan) -> None:
    if plan.owner is not None and not (plan.owner.is_active and plan.owner.opens_cases):
        raise ValidationError({"owner": "The owner leads the case in which the test device is tried: an analyst."})
    for name, most in (("probe_days", 365), ("hunt_days", 365), ("gap_days", 30)):
        if not 1 <= getattr(plan, name) <= most:
            raise ValidationError({name: f"From 1 to {most} days."})
    plan.full_clean(exclude=["connection", "owner", "case"])


def _give_case(plan: ReadinessPlan, owner: User, before: User | None, actor: User) -> None:
    """The system's own exercise case. Who administers opens it and leaves it: its content is its owner's."""
    if plan.case is None or not plan.case.is_open:
        plan.case = cases.open_case(
            actor=actor,
            title=f"Readiness of {plan.connection.name}"[:200],
            description="Opened by IRCase. What is tried on the test device is kept here; it is in no metric.",
            severity="informational",
            exercise=True,
            connection=plan.connection,
        )
        plan.save(update_fields=["case"])
    _lead(plan.case, owner, actor)
    for person in (actor, before):
        if person is not None and person != owner and plan.case.members.filter(user=person).exists():
            cases.remove_member(case=plan.case, actor=actor, user=person)


def _lead(case: Case, owner: User, actor: User) -> None:
    if not case.members.filter(user=owner, own_role=CaseRole.LEAD).exists():
        cases.set_member(case=case, actor=actor, user=owner, role=CaseRole.LEAD, duty="Keeps the connection ready")


def _plain(value: object) -> object:
    return value.username if isinstance(value, User) else value


@transaction.atomic
def answer(
    *, connection: Connection, key: str, value: str, note: str = "", actor: User | None = None
) -> SettingAnswer | None:
    """What was found of a setting; `actor` None is the API's answer, which is logged only where it is news and never
    takes the place of a person's that is younger than a day. Raises PermissionDenied, ValidationError."""
    if key not in settings():
        raise ValidationError(f"There is no setting {key[:64]!r} to answer.")
    if value not in SettingAnswer.Answer.values:
        raise ValidationError({"answer": "Choose an answer."})
    if actor is not None:
        rights.require_keeper(actor, connection)
    before = SettingAnswer.objects.filter(connection=connection, key=key).first()
    if actor is None and before and before.answered_by_id and (timezone.now() - before.answered_at).days < 1:
        return None
    values = {"answer": value, "note": clean(note).strip()[:500], "answered_by": actor, "answered_at": timezone.now()}
    row, _ = SettingAnswer.objects.update_or_create(connection=connection, key=key, defaults=values)
    if actor is not None or before is None or before.answer != value:
        log.record(
            "readiness.answered", actor=actor, name=connection.name, setting=settings()[key].title, answer=value,
            before=before.answer if before else None, note=row.note,
        )  # fmt: skip
    return row


def require_test(connection: Connection | None) -> None:
    """Raise PermissionDenied unless exercises may run on this connection; none at all is always allowed."""
    if connection is not None and not ReadinessPlan.objects.filter(connection=connection, is_test=True).exists():
        raise PermissionDenied(
            f"{connection.name} is not marked as a test. An administrator marks it on its Readiness page."
        )
