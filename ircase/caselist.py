"""Finding cases: the list's filters and orders over what a person may see."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta

from django import forms
from django.db.models import Case as When_
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from ircase.models import Case, CaseMember, CaseRole, ChecklistItem, Milestone, Phase, Severity, User
from ircase.services.findings import clean


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to. Empty text means everything; dates are days in the current time zone."""

    q: str = ""
    state: str = "open"
    phase: str = ""
    severity: str = ""
    mine: bool = False
    overdue: bool = False
    exercise: str = ""
    detected_from: date | None = None
    detected_to: date | None = None


def read_filters(form: forms.Form) -> Filters:
    """The filters of a bound form; a field that makes no sense counts as not given."""
    form.is_valid()
    given = {f.name: form.cleaned_data.get(f.name) for f in fields(Filters)}
    return replace(Filters(), **{name: value for name, value in given.items() if value})


def is_filtered(filters: Filters) -> bool:
    return replace(filters, state="open") != Filters()


def find(user: User, filters: Filters, sort: str = "") -> QuerySet[Case]:
    """The cases that `user` may see and `filters` let through, with `next_due` and `late` on each."""
    found = Case.objects.visible_to(user).select_related("connection")
    if filters.state in ("open", "closed"):
        found = found.filter(closed_at__isnull=filters.state == "open")
    for name in ("phase", "severity"):
        if wanted := getattr(filters, name):
            found = found.filter(**{name: wanted})
    if filters.exercise in ("0", "1"):
        found = found.filter(exercise=filters.exercise == "1")
    if filters.mine:
        found = found.filter(Exists(CaseMember.objects.filter(case=OuterRef("pk"), user=user)))
    return _ordered(_with_due(_dated(_worded(found, filters.q), filters), filters.overdue), sort)


def _worded(found: QuerySet[Case], text: str) -> QuerySet[Case]:
    for word in clean(text).split()[:8]:
        found = found.filter(Q(reference__icontains=word) | Q(title__icontains=word) | Q(description__icontains=word))
    return found


def _dated(found: QuerySet[Case], filters: Filters) -> QuerySet[Case]:
    detected = Milestone.objects.filter(case=OuterRef("pk"), kind=Milestone.Kind.DETECTED)
    if filters.detected_from:
        detected = detected.filter(at__gte=_midnight(filters.detected_from))
    if filters.detected_to:
        detected = detected.filter(at__lt=_midnight(filters.detected_to + timedelta(days=1)))
    return found.filter(Exists(detected)) if filters.detected_from or filters.detected_to else found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _with_due(found: QuerySet[Case], only_overdue: bool) -> QuerySet[Case]:
    waiting = ChecklistItem.objects.filter(
        case=OuterRef("pk"), state__in=ChecklistItem.LIVE, due_at__isnull=False
    ).exclude(phase=Phase.PREPARATION)
    first = waiting.order_by("due_at").values("due_at")[:1]
    found = found.annotate(next_due=Subquery(first))
    return found.filter(closed_at=None, next_due__lt=timezone.now()) if only_overdue else found


_ORDERS = {"reference": "reference", "title": "title", "opened": "opened_at", "updated": "updated_at"}


def _ordered(found: QuerySet[Case], sort: str) -> QuerySet[Case]:
    down, name = sort.startswith("-"), sort.removeprefix("-")
    if name in ("severity", "phase"):
        values = Severity.values if name == "severity" else Phase.values
        ranks = [When(**{name: value, "then": Value(rank)}) for rank, value in enumerate(values)]
        found = found.annotate(_order=When_(*ranks, output_field=IntegerField()))
        return found.order_by("-_order" if down else "_order", "-opened_at", "pk")
    if name == "due":
        due = F("next_due").desc(nulls_last=True) if down else F("next_due").asc(nulls_last=True)
        return found.order_by(due, "-opened_at", "pk")
    if name in _ORDERS:
        return found.order_by(("-" if down else "") + _ORDERS[name], "pk")
    return found.most_urgent_first()  # type: ignore[attr-defined,no-any-return]


@dataclass(frozen=True)
class Row:
    """A case of the list with the names of its leads."""

    case: Case
    leads: str
    late: bool


def with_leads(page: Iterable[Case]) -> list[Row]:
    """Rows for one page, with one more query for the leads of all of them."""
    found = list(page)
    leads: dict[int, list[str]] = {case.pk: [] for case in found}
    members = CaseMember.objects.filter(case__in=leads, role=CaseRole.LEAD).select_related("user").order_by("added_at")
    for member in members:
        leads[member.case_id].append(member.user.name)
    now = timezone.now()
    return [Row(case, ", ".join(leads[case.pk]), _late(case, now)) for case in found]


def _late(case: Case, now: datetime) -> bool:
    due = getattr(case, "next_due", None)
    return case.is_open and due is not None and due < now
