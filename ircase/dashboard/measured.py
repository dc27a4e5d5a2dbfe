"""The cases of the periods with their moments and stays as numbers, and the targets they are held against."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from django.db.models import Count, Max, Q, Sum, Value
from django.db.models.fields import DateTimeField
from django.db.models.functions import Coalesce

from ircase.dashboard.scope import Epoch, Scope
from ircase.metrics import TIMES, Period
from ircase.models import Milestone, Phase, PhaseEntry, Target

T = TypeVar("T")
KINDS: Final = tuple(kind for kind in Milestone.Kind if any(kind in (begin, end) for _, begin, end in TIMES.values()))
# Where in `Measured.moments` the two of each measure stand: asked for each case of a period.
_PLACES: Final = {name: (KINDS.index(begin), KINDS.index(end)) for name, (_, begin, end) in TIMES.items()}
PHASES: Final = (Phase.DETECTION, Phase.CONTAINMENT, Phase.POST_INCIDENT)


class Measured(NamedTuple):
    """A case. `when` counts it into a period; `moments` are seconds since 1970 in the order of KINDS, None where the
    milestone is not set."""

    pk: int
    reference: str
    severity: str
    when: float
    moments: tuple[float | None, ...]

    def moment(self, kind: Milestone.Kind) -> float | None:
        return self.moments[KINDS.index(kind)]

    def span(self, name: str) -> float | None:
        """One of TIMES in seconds, negative where its milestones are in the wrong order."""
        begin, end = _PLACES[name]
        first, last = self.moments[begin], self.moments[end]
        return None if first is None or last is None else last - first


class Spent(NamedTuple):
    """What a case spent in one phase, in seconds, all its stays together; `goes_on`: the last one has not ended."""

    case: Measured
    seconds: float
    goes_on: bool


def cases(scope: Scope) -> list[Measured]:
    """Those of both periods; one query."""
    return scope.once("measured", lambda: _cases(scope))


def _cases(scope: Scope) -> list[Measured]:
    moments = {f"at_{kind}": Epoch(Max("milestones__at", filter=Q(milestones__kind=kind))) for kind in KINDS}
    rows = scope.of_both().order_by().values_list("pk", "reference", "severity", Epoch("opened_at"))
    detected = KINDS.index(Milestone.Kind.DETECTED)
    found = []
    for pk, reference, severity, opened, *at in rows.annotate(**moments):
        when = at[detected] if at[detected] is not None else opened
        found.append(Measured(pk, reference, severity, when, tuple(at)))
    return found


def within(rows: Sequence[Measured], period: Period) -> list[Measured]:
    start, end = period.start.timestamp(), period.end.timestamp()
    return [row for row in rows if start <= row.when < end]


def months(scope: Scope) -> list[tuple[Period, list[Measured]]]:
    """The cases of this period by month, the newest months alone where they are many; sorted once."""
    return scope.once("months", lambda: bucketed(scope, cases(scope), lambda row: row.when))


def bucketed(scope: Scope, rows: Sequence[T], when: Callable[[T], float]) -> list[tuple[Period, list[T]]]:
    """Rows by the month that they count into; what is in none is left out."""
    periods = scope.months()
    starts = [month.start.timestamp() for month in periods]
    end = periods[-1].end.timestamp()
    found: list[list[T]] = [[] for _ in periods]
    for row in rows:
        at = when(row)
        if starts[0] <= at < end:
            found[bisect_right(starts, at) - 1].append(row)
    return list(zip(periods, found, strict=True))


def stays(scope: Scope) -> Mapping[str, list[Spent]]:
    """By phase, for the cases of both periods; one query. Time between closing and reopening is in no stay."""
    return scope.once("stays", lambda: _stays(scope))


def _stays(scope: Scope) -> Mapping[str, list[Spent]]:
    known = {case.pk: case for case in cases(scope)}
    now = Value(scope.now, output_field=DateTimeField())
    spent = Epoch(Coalesce("left_at", "case__closed_at", now)) - Epoch("entered_at")
    going = Q(left_at=None, case__closed_at=None)
    rows = PhaseEntry.objects.filter(case__in=scope.of_both().values("pk"), phase__in=PHASES).order_by()
    found: dict[str, list[Spent]] = {phase: [] for phase in PHASES}
    summed = rows.values_list("case_id", "phase").annotate(spent=Sum(spent), going=Count("pk", filter=going))
    for pk, phase, seconds, goes_on in summed:
        if pk in known:
            found[phase].append(Spent(known[pk], seconds, bool(goes_on)))
    return found


class Targets:
    """Seconds that a measure or a phase may take, by severity; the one for every severity where it has none of its
    own."""

    def __init__(self, rows: Mapping[tuple[str, str], float]) -> None:
        self._rows = rows

    def of(self, measure: str, severity: str) -> float | None:
        return self._rows.get((measure, severity), self._rows.get((measure, "")))

    def any(self, measure: str) -> bool:
        return any(name == measure for name, _ in self._rows)

    def outside(self, measure: str, severity: str, seconds: float) -> bool:
        wanted = self.of(measure, severity)
        return wanted is not None and seconds > wanted


def targets(scope: Scope) -> Targets:
    """One query."""

    def read() -> Targets:
        rows = Target.objects.order_by().values_list("measure", "severity", "hours")
        return Targets({(measure, severity): hours * 3600 for measure, severity, hours in rows})

    return scope.once("targets", read)
