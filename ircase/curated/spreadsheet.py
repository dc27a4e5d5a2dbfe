"""The curated timeline for people with a spreadsheet: times in one zone, which the header names, and words for codes.

What another system reads is made by `ircase.exchange.timeline`; what comes back into a case is that, not this.
"""

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.utils import timezone

from ircase.curated import asking, rows, times
from ircase.curated.asking import Filter
from ircase.models import Case, Event, User
from ircase.services import log
from ircase.services.transfer.exports import csv_chunks

_BATCH: Final = 500


def name_of(case: Case) -> str:
    return f"{case.reference}_timeline.csv"


def hand_out(*, case: Case, actor: User, asked: Filter, zone: str = "") -> Iterator[bytes]:
    """The events that pass, oldest first, with times in `zone`, else in the person's own; the log hears of it before
    the first byte. Raises ValidationError for a zone that is none."""
    zone = zone or actor.time_zone
    times.zone_of(zone)
    found = asking.events(case, asked)
    pks = list(found.values_list("pk", flat=True))
    log.record("event.exported", case=case, actor=actor, count=len(pks), zone=zone)
    return csv_chunks(itertools.chain([_header(zone)], _lines(case, pks, zone)))


def _header(zone: str) -> list[str]:
    return [
        f"Time ({zone})", "Offset", "As exactly as it is known", f"Until ({zone})", "As it was written", "Who did it",
        "What happened", "Description", "Techniques", "Devices and accounts", "Indicators", "Tags", "Source",
        f"Discovered ({zone})", "In the report",
    ]  # fmt: skip


def _lines(case: Case, pks: list[int], zone: str) -> Iterator[list[str]]:
    for start in range(0, len(pks), _BATCH):
        part = pks[start : start + _BATCH]
        there = {event.pk: event for event in Event.objects.filter(case=case, pk__in=part).defer("row")}
        names = rows.names_of(part)
        # Not around the yield: who takes the lines has a zone of their own.
        with timezone.override(times.zone_of(zone)):
            made = [_line(there[pk], names.get(pk, rows.Names()), zone) for pk in part if pk in there]
        yield from made


def _line(event: Event, names: rows.Names, zone: str) -> list[str]:
    at = event.at.astimezone(times.zone_of(zone))
    return [
        _clock(at),
        _offset(at),
        times.words(event),
        _clock(timezone.localtime(event.until)) if event.until else "",
        " ".join(filter(None, [event.given, f"({event.zone})" if event.zone else ""])),
        event.get_lane_display(),
        event.title,
        event.description,
        ", ".join(f"{number} {tactic}".strip() for number, tactic in names.techniques),
        ", ".join(name for _, name in names.assets),
        ", ".join(value for _, value in names.indicators),
        " ".join(names.tags),
        event.source,
        _clock(timezone.localtime(event.discovered_at)) if event.discovered_at else "",
        "yes" if event.in_report else "no",
    ]


def _offset(at: datetime) -> str:
    """`UTC+01:00`: of the hour that a clock put back lives twice, it says which one."""
    said = f"{at:%z}"
    return f"UTC{said[:3]}:{said[3:5]}"


def _clock(at: datetime) -> str:
    """As a spreadsheet takes it for a time; the zone stands in the header."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
