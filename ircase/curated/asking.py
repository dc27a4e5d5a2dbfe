"""The address of the timeline's page as a question. Every key is optional; what means nothing is refused in words."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from ircase import attack
from ircase.models import Case, Event, EventTechnique, User
from ircase.services.analysis import findings

KEYS: Final = (
    "q", "lane", "tactic", "technique", "asset", "indicator", "tag", "since", "until", "report", "by", "with", "view",
)  # fmt: skip
EXTRAS: Final = {
    "milestones": "Milestones",
    "phases": "Phases",
    "checklist": "Checklist",
    "work": "Actions and collections",
}
"""What of the case's own records may stand beside the events."""
WORDS: Final = 8


@dataclass(frozen=True)
class Filter:
    """Which events of a case, by which time (`by`: event or discovery), and what stands beside them (`extras`).
    `technique` brings its sub-techniques; `until` is exclusive."""

    q: str = ""
    lane: str = ""
    tactic: str = ""
    technique: str = ""
    asset: UUID | None = None
    indicator: UUID | None = None
    tag: str = ""
    since: datetime | None = None
    until: datetime | None = None
    in_report: bool | None = None
    by: str = "event"
    extras: frozenset[str] = frozenset()
    lanes: bool = False

    @property
    def narrows(self) -> bool:
        """Whether some events may be left out."""
        kept = (self.q, self.lane, self.tactic, self.technique, self.asset, self.indicator, self.tag)
        return any(kept) or any(one is not None for one in (self.since, self.until, self.in_report))

    @property
    def only_events(self) -> bool:
        """Whether it asks for what no milestone or phase has."""
        named = (self.tactic, self.technique, self.asset, self.indicator, self.tag)
        return any(named) or self.in_report is not None or self.lane not in ("", Event.Lane.DEFENDER)


def read(query: QueryDict, person: User) -> Filter:
    """The filter in an address. Raises ValidationError."""
    said = {key: findings.clean(query.get(key, ""))[:200].strip() for key in KEYS}
    if said["lane"] and said["lane"] not in Event.Lane.values:
        raise ValidationError(f"There is no lane “{said['lane'][:40]}”.")
    return Filter(
        q=said["q"],
        lane=said["lane"],
        tactic=said["tactic"],
        technique=said["technique"].upper(),
        asset=uuid_of(said["asset"]),
        indicator=uuid_of(said["indicator"]),
        tag=said["tag"].lower(),
        since=moment(said["since"], person),
        until=moment(said["until"], person),
        in_report={"yes": True, "no": False}.get(said["report"]),
        by="discovery" if said["by"] == "discovery" else "event",
        extras=frozenset(one for one in query.getlist("with") if one in EXTRAS),
        lanes=said["view"] == "lanes",
    )


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ValidationError("The address names no asset or indicator of this case.") from None


def moment(text: str, person: User) -> datetime | None:
    """A time or a day of the person's zone, unless it names its own. Raises ValidationError."""
    if not text:
        return None
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime.combine(day, time.min)
        if found is not None:
            return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(person.time_zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValidationError(f"“{text[:40]}” is no time: write it as 2026-11-20 14:30, with a zone or in your own.")


def kept(query: QueryDict, *without: str) -> QueryDict:
    """A copy of the filter's part of an address, less some keys."""
    copy = QueryDict(mutable=True)
    for key in KEYS:
        values = [one for one in query.getlist(key) if one]
        if key not in without and values:
            copy.setlist(key, values)
    return copy


def events(case: Case, asked: Filter) -> QuerySet[Event]:
    """The events that pass, oldest first, each annotated with `moment`: the time that they are ordered by."""
    moments = F("at") if asked.by == "event" else Coalesce("discovered_at", "added_at")
    found = Event.objects.filter(case=case).annotate(moment=moments)
    if asked.lane:
        found = found.filter(lane=asked.lane)
    if asked.technique or asked.tactic:
        found = found.filter(pk__in=_uses(case, asked).values("event"))
    if asked.asset:
        found = found.filter(pk__in=Event.assets.through.objects.filter(asset__uuid=asked.asset).values("event"))
    if asked.indicator:
        named = Event.indicators.through.objects.filter(indicator__uuid=asked.indicator)
        found = found.filter(pk__in=named.values("event"))
    if asked.tag:
        found = found.filter(pk__in=Event.tags.through.objects.filter(findingtag__name=asked.tag).values("event"))
    if asked.in_report is not None:
        found = found.filter(in_report=asked.in_report)
    if asked.since:
        found = found.filter(moment__gte=asked.since)
    if asked.until:
        found = found.filter(moment__lt=asked.until)
    for word in asked.q.split()[:WORDS]:
        found = found.filter(_says(case, word))
    return found.order_by("moment", "pk")


def _says(case: Case, word: str) -> Q:
    assets = Event.assets.through.objects.filter(asset__case=case, asset__name__icontains=word)
    indicators = Event.indicators.through.objects.filter(indicator__case=case, indicator__value__icontains=word)
    return (
        Q(title__icontains=word)
        | Q(description__icontains=word)
        | Q(source__icontains=word)
        | Q(pk__in=assets.values("event"))
        | Q(pk__in=indicators.values("event"))
    )


def _uses(case: Case, asked: Filter) -> QuerySet[EventTechnique]:
    found = EventTechnique.objects.filter(event__case=case)
    if asked.technique:
        ids = former_ids(asked.technique)
        found = found.filter(Q(technique__in=ids) | Q(technique__startswith=f"{asked.technique}."))
    if asked.tactic:
        of_it = [one.id for one in attack.of_tactic(asked.tactic)]
        found = found.filter(Q(tactic__iexact=asked.tactic) | Q(tactic="", technique__in=of_it))
    return found


def former_ids(number: str) -> list[str]:
    """The id and those whose place it took."""
    former = attack.release().former.values()
    return [number, *(one.id for one in former if one.successor and attack.current_id(one.id) == number)]
