"""What a dashboard is about: the reader, their filters, the periods; and which cases that makes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.db.models import CharField, Exists, Func, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.fields import FloatField
from django.urls import reverse

from ircase.metrics import Period, counted
from ircase.models import Case, CaseMember, CaseRole, CaseTeam, Connection, Milestone, Team, User
from ircase.models.cases import CaseQuerySet
from ircase.telling.words import namable

T = TypeVar("T")
COMPARE: Final = (("", "Compare with nothing"), ("before", "The period before"), ("year", "The same a year ago"))
MOST_MONTHS: Final = 24


@dataclass(frozen=True)
class Filters:
    """What the reader narrowed it to; empty text is everything. `owner` is a lead's user name, `team` and `connection`
    are names."""

    period: Period
    compare: str = ""
    severity: str = ""
    playbook: str = ""
    connection: str = ""
    team: str = ""
    owner: str = ""

    def words(self) -> dict[str, str]:
        """As an address keeps them."""
        found = {
            "first": self.period.first.isoformat(),
            "last": self.period.last.isoformat(),
            "compare": self.compare,
            "severity": self.severity,
            "playbook": self.playbook,
            "connection": self.connection,
            "team": self.team,
            "owner": self.owner,
        }
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Scope:
    """Everything begins at `cases`: what the reader may not see is in no sum, and in no difference of two sums.
    `outside`: it leaves the app, so confidential cases count only where a lead lets them be named outside."""

    user: User
    filters: Filters
    now: Any
    outside: bool = False
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def period(self) -> Period:
        return self.filters.period

    @property
    def before(self) -> Period | None:
        """The period that this one is compared with."""
        return compared(self.period, self.filters.compare)

    @property
    def cases(self) -> CaseQuerySet:
        """The cases that the reader may see and the filters let through, of any time."""
        found: CaseQuerySet = counted(Case.objects.visible_to(self.user)).order_by()
        if self.outside:
            found = namable(found)
        wanted = self.filters
        for name, value in (("severity", wanted.severity), ("playbook", wanted.playbook)):
            if value:
                found = found.filter(**{name: value})
        if wanted.connection:
            found = found.filter(connection__name=wanted.connection)
        if wanted.team:
            found = found.filter(pk__in=CaseTeam.objects.filter(team__name=wanted.team).values("case"))
        if wanted.owner:
            leads = CaseMember.objects.filter(role=CaseRole.LEAD, user__username__iexact=wanted.owner)
            found = found.filter(pk__in=leads.values("case"))
        return found

    @property
    def keys(self) -> QuerySet[Any]:
        """The same as a subquery."""
        return self.cases.values("pk")

    def of(self, period: Period) -> CaseQuerySet:
        """The cases of a period: by when they were detected, or opened where nobody said when that was."""
        return in_periods(self.cases, period)

    def of_both(self) -> CaseQuerySet:
        """Those of this period and of the one it is compared with."""
        return in_periods(self.cases, *([self.period, self.before] if self.before else [self.period]))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What several panels of one page need is read once."""
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]
        return found

    def query(self, **more: str) -> str:
        """The filters as an address's query, some of them replaced, and what else it needs."""
        words = {**self.filters.words(), **more}
        return urlencode({name: value for name, value in words.items() if value})

    def behind(self, panel: str, **part: str) -> str:
        """The page of the rows behind one number."""
        words = {"compare": "", **part}
        return f"{reverse('ircase:dashboard_behind', args=[panel])}?{self.query(**words)}"

    def behind_of(self, period: Period, panel: str, **part: str) -> str:
        """The same for another period than the reader's."""
        return self.behind(panel, **{"first": period.first.isoformat(), "last": period.last.isoformat(), **part})

    def months(self) -> list[Period]:
        """The newest months of the period, oldest first."""
        return self.period.months()[-MOST_MONTHS:]


def compared(period: Period, how: str) -> Period | None:
    if how == "before":
        days = (period.last - period.first).days + 1
        return Period(period.first - timedelta(days=days), period.first - timedelta(days=1))
    if how == "year":
        return Period(*(_a_year_before(day) for day in (period.first, period.last)))
    return None


def _a_year_before(day: Any) -> Any:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)


def in_periods(cases: CaseQuerySet, *periods: Period) -> CaseQuerySet:
    """Cases whose milestone Detected is in one of the periods, or which have none and were opened in one."""
    detected, opened = Q(), Q()
    for period in periods:
        detected |= Q(at__gte=period.start, at__lt=period.end)
        opened |= Q(opened_at__gte=period.start, opened_at__lt=period.end)
    known = Milestone.objects.filter(kind=Milestone.Kind.DETECTED)
    within = known.filter(detected).order_by().values("case")
    unsaid = Case.objects.filter(opened, ~Exists(known.filter(case=OuterRef("pk")))).order_by().values("pk")
    # Each half has its index; asked as one OR, every case would be looked at.
    return cases.filter(pk__in=within.union(unsaid, all=True))


class Epoch(Func):
    """Seconds since 1970-01-01 UTC of a time, as a number made by the database: reading ten thousand cases as datetimes
    takes several times as long."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        template = "ROUND((julianday(%(expressions)s) - 2440587.5) * 86400.0, 3)"
        return self.as_sql(compiler, connection, template=template, **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        template = "EXTRACT(EPOCH FROM %(expressions)s)::double precision"
        return self.as_sql(compiler, connection, template=template, **more)


def in_period(period: Period, name: str) -> Q:
    """Rows whose time `name` lies in the period."""
    return Q(**{f"{name}__gte": period.start, f"{name}__lt": period.end})


Choices = dict[str, list[tuple[str, str]]]


def choices(user: User) -> Choices:
    """What can be filtered by, of the cases that the reader may see; one query."""
    cases = counted(Case.objects.visible_to(user)).order_by()
    # Few connections, teams and people, many cases: of each the first case is looked for, not every one.
    led = cases.filter(members__user=OuterRef("pk"), members__role=CaseRole.LEAD)
    named = [
        _named(cases.exclude(playbook="").distinct(), "playbook", "playbook"),
        _named(Connection.objects.filter(Exists(cases.filter(connection=OuterRef("pk")))), "connection", "name"),
        _named(Team.objects.filter(Exists(cases.filter(teams__team=OuterRef("pk")))), "team", "name"),
        _named(User.objects.filter(Exists(led)), "owner", "username"),
    ]
    found: Choices = {"playbook": [], "connection": [], "team": [], "owner": []}
    for kind, value in sorted(named[0].union(*named[1:])):
        found[kind].append((value, value))
    return found


def _named(rows: QuerySet[Any], kind: str, name: str | Combinable) -> QuerySet[Any, tuple[str, str]]:
    marked = rows.order_by().annotate(kind=Value(kind, output_field=CharField()))
    found: QuerySet[Any, tuple[str, str]] = marked.values_list("kind", name)
    return found
