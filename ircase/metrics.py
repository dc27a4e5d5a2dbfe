"""What times are made of, and over which cases. `ircase.dashboard` counts with it.

Times come from milestones and phase stays, by the formulas of `Milestone`. The median is the figure to show, with mean
and n beside it; a case that lacks a milestone is counted as missing, never as nothing. Exercises are left out.

Closing a case ends its stay in a phase; opening it again begins another one, in the same phase. So the time in between
is in no phase and in no sum of phases, and a case that was reopened has the time that was worked on it, both times. The
milestones are moments on the calendar and do not pause: `closed` is taken back and set anew at the next closing,
the others stay what they were unless a person moves them. What is not closed, and so has no `closed`, is missing from
what ends there.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from ircase.models import Milestone
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


def counted(cases: CaseQuerySet) -> CaseQuerySet:
    """The cases that metrics are made of. Start from `Case.objects.visible_to(user)`."""
    return cases.filter(exercise=False)
