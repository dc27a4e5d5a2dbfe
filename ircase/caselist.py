"""Finding cases: the list's filters and orders over what a person may see."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.db.models import Case as When_
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from ircase.models import Case, CaseMember, CaseRole, CaseTag, ChecklistItem, Milestone, Phase, Severity, User
from ircase.services.analysis.findings import clean


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
    owner: str = ""
    tag: str = ""
    connection: str = ""
    age: int = 0  # days since it was opened, at most; negative: at least
    show: tuple[str, ...] = ()


def read_filters(form: forms.Form) -> Filters:
    """The filters of a bound form; a field that makes no sense counts as not given."""
    form.is_valid()
    given = {f.name: form.cleaned_data.get(f.name) for f in fields(Filters)}
    given["show"] = tuple(given["show"] or ())
    return replace(Filters(), **{name: value for name, value in given.items() if value})


def is_filtered(filters: Filters) -> bool:
    return replace(filters, state="open", show=()) != Filters()


def find(user: User, filters: Filters, sort: str = "") -> QuerySet[Case]:
    """The cases that `user` may see and `filters` let through, with `next_due` and `late` on each."""
    found: QuerySet[Case] = Case.objects.visible_to(user).select_related("connection")
    if filters.state in ("open", "closed"):
        found = found.filter(closed_at__isnull=filters.state == "open")
    for name in ("phase", "severity"):
        if wanted := getattr(filters, name):
            found = found.filter(**{name: wanted})
    if filters.exercise in ("0", "1"):
        found = found.filter(exercise=filters.exercise == "1")
    if filters.mine:
        found = found.filter(Exists(CaseMember.objects.filter(case=OuterRef("pk"), user=user)))
    found = _whose(_dated(_worded(found, filters.q), filters), filters)
    return _ordered(_with_due(found, filters.overdue), sort)


def _whose(found: QuerySet[Case], filters: Filters) -> QuerySet[Case]:
    if filters.owner:
        leads = CaseMember.objects.filter(role=CaseRole.LEAD, user__username__iexact=filters.owner)
        found = found.filter(pk__in=leads.values("case"))
    if filters.tag:
        found = found.filter(pk__in=CaseTag.objects.filter(name=filters.tag.lower()).values("case"))
    if filters.connection:
        found = found.filter(connection__name=filters.connection)
    if filters.age:
        border = timezone.now() - timedelta(days=abs(filters.age))
        found = found.filter(**{"opened_at__gte" if filters.age > 0 else "opened_at__lt": border})
    return found


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
    """A case of the list with the names of its leads, and its tags."""

    case: Case
    leads: str
    late: bool
    tags: tuple[str, ...] = ()


def keys(found: QuerySet[Case]) -> QuerySet[Case, int]:
    """Their primary keys in order, to be paged: ten thousand whole cases are not sorted for the sake of fifty."""
    return found.select_related(None).values_list("pk", flat=True)


def page_of(found: QuerySet[Case], part: Iterable[int]) -> list[Row]:
    """Rows for the cases with these keys, in that order."""
    part = list(part)
    by_pk = {case.pk: case for case in found.filter(pk__in=part).order_by()}
    return with_leads(by_pk[pk] for pk in part if pk in by_pk)


def with_leads(page: Iterable[Case]) -> list[Row]:
    """Rows for one page, with two more queries for the leads and tags of all of them."""
    found = list(page)
    leads: dict[int, list[str]] = {case.pk: [] for case in found}
    members = CaseMember.objects.filter(case__in=leads, role=CaseRole.LEAD).select_related("user").order_by("added_at")
    for member in members:
        leads[member.case_id].append(member.user.name)
    tags: dict[int, list[str]] = {case.pk: [] for case in found}
    for case_id, name in CaseTag.objects.filter(case__in=tags).order_by("name").values_list("case", "name"):
        tags[case_id].append(name)
    now = timezone.now()
    return [Row(case, ", ".join(leads[case.pk]), _late(case, now), tuple(tags[case.pk])) for case in found]


def _late(case: Case, now: datetime) -> bool:
    due = getattr(case, "next_due", None)
    return case.is_open and due is not None and due < now


_HEADER = ("reference", "title", "severity", "phase", "state", "leads", "tags", "tenant", "next due", "opened",
           "updated", "closed")  # fmt: skip
_PORTION = 500


def as_rows(found: QuerySet[Case]) -> Iterator[list[str]]:
    """The list as texts, header first; times in UTC. A portion of cases at a time, with its leads and tags."""
    yield list(_HEADER)
    every = list(keys(found))
    for start in range(0, len(every), _PORTION):
        yield from map(_texts, page_of(found, every[start : start + _PORTION]))


def _texts(row: Row) -> list[str]:
    case = row.case
    times = (getattr(case, "next_due", None), case.opened_at, case.updated_at, case.closed_at)
    return [
        case.reference, case.title, case.severity, case.phase, "open" if case.is_open else "closed", row.leads,
        " ".join(row.tags), case.connection.name if case.connection else "",
        *(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else "" for at in times),
    ]  # fmt: skip
