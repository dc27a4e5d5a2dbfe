"""Many events changed at once, in one transaction with one entry in the log."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import attack
from ircase.models import Case, Event, EventTechnique, User
from ircase.search import index
from ircase.services import log
from ircase.services.analysis import findings, tagging

MOST: Final = 500


@transaction.atomic
def change_events(
    *,
    case: Case,
    actor: User,
    uuids: Sequence[UUID],
    lane: str = "",
    in_report: bool | None = None,
    add_technique: str = "",
    add_tags: Sequence[str] = (),
    remove_tags: Sequence[str] = (),
) -> int:
    """Give these events a lane, put them into or out of the report, add a technique or tags, take tags away. How many
    there were. Raises ValidationError."""
    if not (lane or in_report is not None or add_technique or add_tags or remove_tags):
        raise ValidationError("Say what is to change.")
    if len(uuids) > MOST:
        raise ValidationError(f"At most {MOST} events are changed at once.")
    events = list(Event.objects.filter(case=case, uuid__in=set(uuids)).select_for_update())
    if not events:
        raise ValidationError("Choose the events that are to change.")
    own: dict[str, object] = {} if in_report is None else {"in_report": in_report}
    if lane:
        own["lane"] = Event.Lane(lane)
    if own:
        Event.objects.filter(pk__in=[one.pk for one in events]).update(**own)
    if add_technique:
        _add_technique(events, add_technique)
    _tags(case, events, add_tags, remove_tags)
    log.record(
        "event.changed_many",
        case=case,
        actor=actor,
        count=len(events),
        events=[str(one.uuid) for one in events],
        **{name: str(value) for name, value in own.items()},
        technique=add_technique,
        tags=list(add_tags),
        tags_removed=list(remove_tags),
    )
    return len(events)


def _add_technique(events: Sequence[Event], number: str) -> None:
    findings.uses_of([number])
    there = EventTechnique.objects.filter(event__in=events, technique=number).values_list("event", flat=True)
    known, version = set(there), attack.release().version[:40]
    new = [one for one in events if one.pk not in known]
    EventTechnique.objects.bulk_create(EventTechnique(event=one, technique=number, version=version) for one in new)
    Event.objects.filter(pk__in=[one.pk for one in new], technique="").update(technique=number)
    index.write_many("event", Event.objects.filter(pk__in=[one.pk for one in new]))


def _tags(case: Case, events: Sequence[Event], add: Sequence[str], remove: Sequence[str]) -> None:
    links = Event.tags.through
    tags = tagging.tags_of(case, add)
    links.objects.bulk_create(
        [links(event_id=one.pk, findingtag_id=tag.pk) for one in events for tag in tags], ignore_conflicts=True
    )
    if remove:
        links.objects.filter(event__in=events, findingtag__name__in=remove).delete()
