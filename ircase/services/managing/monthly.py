"""The dashboard by mail on the first of each month, for the month before: chosen, stopped, sent when it is due.

A month is its reader's: from midnight to midnight in their zone, sent in the morning there.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID, uuid4

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import dateformat, timezone

from ircase import jobs
from ircase.models import MONTHLY, Channel, DashboardFile, Delivery, MonthlyMail, User
from ircase.services import log, notices, savedviews
from ircase.services.analysis.findings import clean
from ircase.services.managing import mailing
from ircase.services.telling import choosing
from ircase.telling.moments import zone_of

MOST: Final = 10
"""Of one person."""
MOST_BY_HAND: Final = 5
"""Of one monthly mail, within a day."""
HOUR: Final = 6
_KEPT: Final = frozenset({"compare", "severity", "playbook", "connection", "team", "owner"})
_LABELS: Final = {"compare": "against", "connection": "tenant", "owner": "lead"}
# No zone is further ahead of UTC: https://en.wikipedia.org/wiki/List_of_UTC_offsets
_FURTHEST: Final = timedelta(hours=14)


def require_manager(person: User) -> None:
    """Raise PermissionDenied for everybody else."""
    if not mailing.may_have(person):
        raise PermissionDenied("The dashboard is mailed to managers and administrators.")


def of(person: User) -> QuerySet[MonthlyMail]:
    return MonthlyMail.objects.filter(person=person)


def letters_of(person: User) -> QuerySet[Delivery]:
    """How the last of them went, newest first."""
    mine = Delivery.objects.filter(person=person, file__monthly__isnull=False)
    return mine.select_related("file__monthly")


def month_before(day: date) -> date:
    """The first day of the month before the one that `day` is in."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def due_month(wall: datetime) -> date:
    """The month that has been sent by a time of the reader's wall: from HOUR on the first it is the month before."""
    return month_before((wall.replace(tzinfo=None) - timedelta(hours=HOUR)).date())


def filters_of(asked: str) -> str:
    """Of a dashboard's query what is kept: everything but its days and its section."""
    pairs = parse_qsl(savedviews.words_of(asked), max_num_fields=100)
    return urlencode([(name, value) for name, value in pairs if name in _KEPT])


def query_of(given: Mapping[str, str]) -> str:
    """Filters by name as a query."""
    return urlencode({name: clean(value) for name, value in given.items() if value and name in _KEPT})


def words_of(mail: MonthlyMail) -> str:
    """Its filters for people."""
    return ", ".join(f"{_LABELS.get(name, name)} {value}" for name, value in parse_qsl(mail.asked)) or "Every case"


@transaction.atomic
def begin(*, actor: User, asked: str) -> MonthlyMail:
    """The dashboard of these filters comes from the next first on. Raises PermissionDenied, ValidationError."""
    require_manager(actor)
    if problem := choosing.mail_problem(actor, choosing.of(actor)):
        raise ValidationError(problem)
    kept = filters_of(asked)
    if len(kept) > 2000:
        raise ValidationError("These filters are too long.")
    # The person's row is the lock: two clicks are one.
    User.objects.select_for_update().get(pk=actor.pk)
    mine = of(actor)
    if mine.filter(asked=kept).exists():
        raise ValidationError("You get the dashboard of these filters already.")
    if mine.count() >= MOST:
        raise ValidationError(f"You get {MOST} dashboards a month. Stop one of them first.")
    month = due_month(timezone.now().astimezone(zone_of(actor)))
    row = MonthlyMail.objects.create(person=actor, asked=kept, month=month)
    log.record("dashboard.monthly_begun", actor=actor, title=kept or "everything")
    return row


@transaction.atomic
def stop(*, mail: MonthlyMail, actor: User) -> None:
    """No more of it, also of what is on its way."""
    log.record("dashboard.monthly_stopped", actor=actor, title=mail.asked or "everything")
    MonthlyMail.objects.filter(pk=mail.pk).delete()


@transaction.atomic
def send_now(*, mail: MonthlyMail, actor: User) -> Delivery:
    """The last whole month, once more. Raises PermissionDenied, ValidationError."""
    require_manager(actor)
    if problem := choosing.mail_problem(actor, choosing.of(actor)):
        raise ValidationError(problem)
    row = MonthlyMail.objects.select_for_update(of=("self",)).select_related("person").get(pk=mail.pk)
    files = DashboardFile.objects.filter(monthly=row)
    if files.unfinished().exists():
        raise ValidationError("It is being made. Wait for it.")
    if files.filter(queued_at__gt=timezone.now() - timedelta(days=1)).count() >= MOST_BY_HAND:
        raise ValidationError(f"It was made {MOST_BY_HAND} times within a day. Try again tomorrow.")
    log.record("dashboard.monthly_asked", actor=actor, title=row.asked or "everything")
    return _put_on_its_way(row, month_before(timezone.now().astimezone(zone_of(row.person)).date()), uuid4())


def tick() -> int:
    """Beat's tick: what is due is put on its way, once for each month; how many. After a standstill of months only the
    last of them is sent."""
    now, sent = timezone.now(), 0
    latest = due_month((now + _FURTHEST).replace(tzinfo=None))
    rows = MonthlyMail.objects.filter(month__lt=latest, person__is_active=True).select_related("person")
    for row in rows.iterator():
        due = due_month(now.astimezone(zone_of(row.person)))
        if due > row.month:
            sent += _send(row, due)
    return sent


@transaction.atomic
def _send(row: MonthlyMail, due: date) -> bool:
    # Of two ticks at once one changes the row.
    if not MonthlyMail.objects.filter(pk=row.pk, month=row.month).update(month=due):
        return False
    if not mailing.may_have(row.person):
        return False
    _put_on_its_way(row, due, notices.about(row.uuid, due.isoformat()))
    return True


def _put_on_its_way(row: MonthlyMail, month: date, subject: UUID) -> Delivery:
    """The file and its letter, which waits for the file."""
    last = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    days = {"first": month.isoformat(), "last": last.isoformat()}
    file = DashboardFile.objects.create(
        requested_by=row.person, asked=urlencode([*parse_qsl(row.asked), *days.items()]), mailed=True, monthly=row
    )
    jobs.enqueue(mailing.TASK, file.pk)
    return Delivery.objects.create(
        channel=Channel.MAIL, person=row.person, file=file, code=MONTHLY, subject=subject,
        title=f"Your dashboard of {dateformat.format(month, 'F Y')}", path=reverse("ircase:dashboard_files"),
        next_at=timezone.now() + timedelta(minutes=1),
    )  # fmt: skip
