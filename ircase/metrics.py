"""What times are made of, and over which cases. `ircase.dashboard` counts with it.

Times come from milestones and phase stays, by the formulas of `Milestone`. The median is the figure to show, with mean
and n beside it; a case that lacks a milestone is counted as missing, never as nothing. Exercises are left out.

Closing a case ends its stay in a phase; opening it again begins another one, in the same phase. So the time in between
is in no phase and in no sum of phases, and a case that was reopened has the time that was worked on it, both times. The
milestones are moments on the calendar and do not pause: `closed` is taken back and set anew at the next closing,
the others stay what they were unless a person moves them. What is not closed, and so has no `closed`, is missing from
what ends there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median

from django.utils import timezone

from ircase.models import Milestone, Phase, PhaseEntry
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
class PhaseTime:
    """How long cases spend in a phase. Stays that go on count up to now; `unfinished` says how many do."""

    phase: Phase
    median: timedelta | None
    n: int
    unfinished: int


def counted(cases: CaseQuerySet) -> CaseQuerySet:
    """The cases that metrics are made of. Start from `Case.objects.visible_to(user)`."""
    return cases.filter(exercise=False)


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
