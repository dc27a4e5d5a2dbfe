"""Time after which something can no longer be had: computed from what the case holds, never stored.

Apps above register what is theirs when Django starts; the case does not know them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Min
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from ircase.models import Case, Event, Milestone
from ircase.models.clocks import share

# https://learn.microsoft.com/defender-xdr/advanced-hunting-limits: raw data of the past 30 days can be queried.
DEFENDER_DATA: Final = timedelta(days=30)
DEFENDER_SOURCE: Final = "https://learn.microsoft.com/defender-xdr/advanced-hunting-limits"


@dataclass(frozen=True)
class Window:
    """Until `due_at` it can be had. `url_name` takes the case's reference: where it is collected."""

    case_id: int
    key: str
    title: str
    text: str
    starts_at: datetime
    due_at: datetime
    url_name: str
    action: str
    source: str = ""

    @property
    def is_late(self) -> bool:
        return self.due_at < timezone.now()

    @property
    def percent(self) -> int:
        return share(self.starts_at, self.due_at, timezone.now())

    def url(self, case: Case) -> str:
        try:
            return reverse(self.url_name, args=[case.reference])
        except NoReverseMatch:
            return reverse("ircase:case", args=[case.reference])


Source = Callable[[Sequence[Case]], list[Window]]


def defender_data(cases: Sequence[Case]) -> list[Window]:
    """The 30 days of Defender's data, from the earliest time that the case knows: occurred, detected, or its first
    event. Two queries for all of them; a case without a tenant has none."""
    wanted = [case.pk for case in cases if case.connection_id and case.is_open]
    milestones = Milestone.objects.filter(
        case__in=wanted, kind__in=[Milestone.Kind.OCCURRED, Milestone.Kind.DETECTED]
    ).order_by()
    events = Event.objects.filter(case__in=wanted).order_by().values("case")
    first: dict[int, datetime] = dict(milestones.values_list("case").annotate(Min("at")))
    for pk, at in events.annotate(first=Min("at")).values_list("case", "first"):
        first[pk] = min(at, first.get(pk, at))
    return [_defender(pk, at) for pk, at in first.items()]


def _defender(case: int, first: datetime) -> Window:
    return Window(
        case_id=case,
        key="defender-data",
        title="Defender's data of the first events",
        text="Defender answers hunts about the last 30 days. Hunt and seal what you need before the first of them go.",
        starts_at=first,
        due_at=first + DEFENDER_DATA,
        url_name="hunting:panel",
        action="Collect before it is gone",
        source=DEFENDER_SOURCE,
    )


_sources: list[Source] = [defender_data]


def register(source: Source) -> None:
    """`source` gives windows from now on: one call for many cases, with a bounded number of queries."""
    if source not in _sources:
        _sources.append(source)


def of_cases(cases: Sequence[Case]) -> list[Window]:
    """All windows of these cases, what ends next first."""
    found = [window for source in _sources for window in source(cases)] if cases else []
    return sorted(found, key=lambda window: (window.due_at, window.key))
