"""What managers ask of many cases: where they stand and how long things take.

Times come from milestones and phase stays, by the formulas of `Milestone`. The median is the figure to show, with mean
and n beside it; a case that lacks a milestone is counted as missing, never as nothing. Exercises are left out.

Closing a case ends its stay in a phase; opening it again begins another one, in the same phase. So the time in between
is in no phase and in no sum of phases, and a case that was reopened has the time that was worked on it, both times. The
milestones are moments on the calendar and do not pause: `closed` is taken back and set anew at the next closing,
the others stay what they were unless a person moves them. What is not closed, and so has no `closed`, is missing from
what ends there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import mean, median

from django.utils import timezone

from ircase.models import CaseMember, CaseRole, ChecklistItem, Milestone, Phase, PhaseEntry, Severity, User
from ircase.models.cases import CaseQuerySet

# name: (what it is, from, to)
TIMES = {
    "MTTD": ("Time to detect", Milestone.Kind.OCCURRED, Milestone.Kind.DETECTED),
    "MTTA": ("Time to acknowledge", Milestone.Kind.DETECTED, Milestone.Kind.ACKNOWLEDGED),
    "MTTC": ("Time to contain", Milestone.Kind.DETECTED, Milestone.Kind.CONTAINED),
    "MTTR": ("Time to recover", Milestone.Kind.DETECTED, Milestone.Kind.RECOVERED),
}


@dataclass(frozen=True)
class Period:
    """Whole days in the reader's time zone, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first, time.min))

    @property
    def end(self) -> datetime:
        """The midnight after the last day."""
        return timezone.make_aware(datetime.combine(self.last + timedelta(days=1), time.min))

    def months(self) -> list["Period"]:
        """The calendar months that the period touches, each cut to it, oldest first."""
        found, first = [], self.first
        while first <= self.last:
            after = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
            found.append(Period(first, min(self.last, after - timedelta(days=1))))
            first = after
        return found


@dataclass(frozen=True)
class Measure:
    """One figure over a set of cases. `n` cases count; `missing` lack a milestone; `inconsistent` have them in the
    wrong order, which a person should mend. `cases` are the references that count, slowest first."""

    name: str
    meaning: str
    median: timedelta | None
    mean: timedelta | None
    n: int
    missing: int
    inconsistent: int
    cases: tuple[tuple[str, timedelta], ...]


@dataclass(frozen=True)
class PhaseTime:
    """How long cases spend in a phase. Stays that go on count up to now; `unfinished` says how many do."""

    phase: Phase
    median: timedelta | None
    n: int
    unfinished: int


@dataclass(frozen=True)
class Board:
    """Open cases by phase and severity; `counts[phase][severity]`."""

    counts: Mapping[str, Mapping[str, int]]
    total: int


def counted(cases: CaseQuerySet) -> CaseQuerySet:
    """The cases that metrics are made of. Start from `Case.objects.visible_to(user)`."""
    return cases.filter(exercise=False)


def detected_between(cases: CaseQuerySet, start: datetime, end: datetime) -> CaseQuerySet:
    """Cases detected in the half-open period [start, end)."""
    detected = Milestone.objects.filter(kind=Milestone.Kind.DETECTED, at__gte=start, at__lt=end)
    return cases.filter(pk__in=detected.values("case_id"))


def board(cases: CaseQuerySet) -> Board:
    rows = counted(cases).open().order_by().values_list("phase", "severity")
    tally = Counter(rows)
    counts = {phase: {severity: tally[phase, severity] for severity in Severity.values} for phase in Phase.values}
    return Board(counts, sum(tally.values()))


Moments = Mapping[int, Mapping[str, datetime]]


def moments_of(cases: CaseQuerySet) -> tuple[dict[int, str], Moments]:
    """The references of the cases that count, and the milestones of each by kind; two queries."""
    references = dict(counted(cases).order_by().values_list("pk", "reference"))
    moments: dict[int, dict[str, datetime]] = defaultdict(dict)
    for case_id, kind, at in (
        Milestone.objects.filter(case__in=references).order_by().values_list("case_id", "kind", "at")
    ):
        moments[case_id][kind] = at
    return references, moments


def mean_times(cases: CaseQuerySet) -> list[Measure]:
    """MTTD, MTTA, MTTC and MTTR over `cases`."""
    references, moments = moments_of(cases)
    return [measure(name, references, moments) for name in TIMES]


def by_month(
    name: str, period: Period, references: Mapping[int, str], moments: Moments
) -> list[tuple[Period, Measure]]:
    """One of TIMES for each month of the period, by when the cases were detected."""
    detected = {
        case: moments[case][Milestone.Kind.DETECTED]
        for case in references
        if Milestone.Kind.DETECTED in moments.get(case, {})
    }
    found = []
    for month in period.months():
        here = {case: references[case] for case, at in detected.items() if month.start <= at < month.end}
        found.append((month, measure(name, here, moments)))
    return found


def measure(name: str, references: Mapping[int, str], moments: Moments) -> Measure:
    """One of TIMES over the milestones of each case, `moments[case][kind]`."""
    meaning, begin, end = TIMES[name]
    known = [
        (reference, moments[case][end] - moments[case][begin])
        for case, reference in references.items()
        if begin in moments.get(case, {}) and end in moments[case]
    ]
    good = sorted((pair for pair in known if pair[1] >= timedelta(0)), key=lambda pair: -pair[1])
    spans = [span.total_seconds() for _, span in good]
    return Measure(
        name=name,
        meaning=meaning,
        median=timedelta(seconds=median(spans)) if spans else None,
        mean=timedelta(seconds=mean(spans)) if spans else None,
        n=len(spans),
        missing=len(references) - len(known),
        inconsistent=len(known) - len(good),
        cases=tuple(good),
    )


def phase_times(cases: CaseQuerySet, now: datetime) -> list[PhaseTime]:
    """Median time per phase; several stays of a case in one phase are one time, their sum."""
    stays = PhaseEntry.objects.filter(case__in=counted(cases).order_by()).order_by()
    rows = stays.values_list("case_id", "phase", "entered_at", "left_at", "case__closed_at")
    return time_per_phase(rows, now)


Stay = tuple[int, str, datetime, datetime | None, datetime | None]


def time_per_phase(stays: Iterable[Stay], now: datetime) -> list[PhaseTime]:
    """`stays`: case, phase, entered, left (None while it goes on), and when the case was closed, which ends its last
    stay."""
    spent: dict[str, dict[int, float]] = {phase: defaultdict(float) for phase in Phase.values}
    unfinished: Counter[str] = Counter()
    for case, phase, entered, left, closed in stays:
        until = left or closed
        unfinished[phase] += until is None
        spent[phase][case] += ((until or now) - entered).total_seconds()
    return [
        PhaseTime(phase, timedelta(seconds=median(spent[phase].values())), len(spent[phase]), unfinished[phase])
        if spent[phase]
        else PhaseTime(phase, None, 0, 0)
        for phase in Phase
    ]


def overdue(cases: CaseQuerySet, now: datetime) -> list[ChecklistItem]:
    """Open items past their due date on open cases, oldest first."""
    late = ChecklistItem.objects.filter(
        case__in=counted(cases).open().order_by(), state__in=ChecklistItem.LIVE, due_at__lt=now
    ).exclude(phase=Phase.PREPARATION)
    return list(late.select_related("case", "owner").order_by("due_at"))


def workload(cases: CaseQuerySet) -> list[tuple[User, int, int]]:
    """Per person: open cases led, open checklist items owned; busiest first."""
    ours = counted(cases).open().order_by()
    led = Counter(CaseMember.objects.filter(case__in=ours, role=CaseRole.LEAD).values_list("user", flat=True))
    owned = Counter(
        ChecklistItem.objects.filter(case__in=ours, state__in=ChecklistItem.LIVE)
        .exclude(owner=None)
        .values_list("owner", flat=True)
    )
    people = User.objects.in_bulk(set(led) | set(owned))
    rows = [(person, led[pk], owned[pk]) for pk, person in people.items()]
    return sorted(rows, key=lambda row: (-row[1] - row[2], row[0].name))
