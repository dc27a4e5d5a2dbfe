"""Splitting a case: what belongs to another incident is copied into a new one, which is linked as split from this.

Findings, notes and checklist items are copies that know their origin; the originals stay. Exhibits stay where their
custody is: the link names them. Merging the new case back (`casemerging`) undoes it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet

from ircase import access
from ircase.models import (
    Asset,
    Case,
    CaseLink,
    ChecklistItem,
    Event,
    Evidence,
    Indicator,
    Note,
    Phase,
    User,
)
from ircase.services import log
from ircase.services.analysis.findings import clean
from ircase.services.casework import casecopies, opening
from ircase.services.phases import checklist
from ircase.services.writing import notes

MOST: Final = 2_000
"""Of each kind of thing."""


@dataclass(frozen=True)
class Chosen:
    """What goes along, by uuid; checklist items by their key in the case. The assets and indicators that a chosen event
    names go along with it."""

    events: Collection[UUID] = field(default_factory=tuple)
    indicators: Collection[UUID] = field(default_factory=tuple)
    assets: Collection[UUID] = field(default_factory=tuple)
    evidence: Collection[UUID] = field(default_factory=tuple)
    notes: Collection[UUID] = field(default_factory=tuple)
    items: Collection[str] = field(default_factory=tuple)

    def check(self) -> None:
        """Raise ValidationError where it is nothing, or too much."""
        sizes = [len(set(ids)) for ids in vars(self).values()]
        if not any(sizes):
            raise ValidationError("Choose what belongs to the other incident.")
        if max(sizes) > MOST:
            raise ValidationError(f"At most {MOST:,} of each can be taken at once.")


@transaction.atomic
def split(
    *, case: Case, actor: User, chosen: Chosen, title: str, reason: str, severity: str = "", confidential: bool = False
) -> CaseLink:
    """A new case led by `actor`, with copies of what was chosen. From a confidential case comes a confidential one. The
    link's `case` is the new one. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("A case is split by who leads it.")
    chosen.check()
    if not reason.strip():
        raise ValidationError({"reason": "Say why this is another incident."})
    # The row is the lock: what is chosen is not merged away meanwhile, and two clicks come one after the other.
    case = Case.objects.select_for_update().get(pk=case.pk)
    if not case.is_open:
        raise ValidationError("The case is closed. A lead can open it again.")
    exhibits = _found(Evidence.objects.filter(case=case), "uuid", chosen.evidence, "exhibit")
    made = opening.open_by_hand(
        actor=actor, title=clean(title).strip(), severity=severity or case.severity, tlp=case.tlp,
        confidential=confidential or case.confidential, exercise=case.exercise,
        connection=case.connection if case.connection and case.connection.enabled else None,
    )  # fmt: skip
    link = CaseLink(case=made, other=case, kind=CaseLink.Kind.SPLIT, reason=clean(reason).strip(), made_by=actor)
    counts = _Copier(case, made, actor, link).copy(chosen)
    link.split = {"exhibits": [{"uuid": str(one.uuid), "number": one.number, "name": one.name} for one in exhibits]}
    link.save()
    numbers = [one.number for one in exhibits]
    log.record(
        "case.split_off", case=case, actor=actor, link=str(link.uuid), exhibits=numbers, reason=link.reason, **counts
    )
    # Of the other case the new one's log says no more than that it is there: their readers may differ.
    log.record("case.split_from", case=made, actor=actor, link=str(link.uuid), exhibits=len(numbers), **counts)
    return link


def _found(rows: QuerySet[Any], name: str, ids: Collection[Any], word: str) -> list[Any]:
    """All of them, in the case's order. Raises ValidationError where one is not of the case."""
    wanted = set(ids)
    found = list(rows.filter(**{f"{name}__in": wanted})) if wanted else []
    if len(found) != len(wanted):
        raise ValidationError(f"The case has no such {word}.")
    return found


class _Copier:
    def __init__(self, case: Case, made: Case, actor: User, link: CaseLink) -> None:
        self.case, self.made, self.actor, self.link = case, made, actor, link

    def copy(self, chosen: Chosen) -> dict[str, int]:
        """How many of each are new in the other case."""
        rows = Event.objects.filter(case=self.case).prefetch_related("techniques", "assets", "indicators", "tags")
        events = _found(rows, "uuid", chosen.events, "event")
        indicators = Indicator.objects.filter(case=self.case).prefetch_related("tags")
        named = {one.pk: one for event in events for one in event.indicators.all()}
        named |= {one.pk: one for one in _found(indicators, "uuid", chosen.indicators, "indicator")}
        touched = {one.pk: one for event in events for one in event.assets.all()}
        touched |= {one.pk: one for one in _found(Asset.objects.filter(case=self.case), "uuid", chosen.assets, "asset")}
        new_assets = self._findings(Asset, touched.values())
        new_indicators = self._findings(Indicator, named.values())
        new_events = self._findings(Event, events)
        casecopies.join(events, new_events, new_assets, new_indicators)
        casecopies.tags(self.made, Event.tags.through, "event", new_events)
        casecopies.tags(self.made, Indicator.tags.through, "indicator", new_indicators)
        return {
            "events": len(new_events), "indicators": len(new_indicators), "assets": len(new_assets),
            "notes": self._notes(chosen.notes), "items": self._items(chosen.items),
        }  # fmt: skip

    def _findings(self, model: Any, rows: Iterable[Any]) -> dict[int, Any]:
        return casecopies.findings(model, rows, self.made, self.actor, "split", str(self.link.uuid))

    def _notes(self, uuids: Collection[UUID]) -> int:
        found = _found(Note.objects.filter(case=self.case), "uuid", uuids, "note")
        for note in found:
            notes.create_note(case=self.made, actor=self.actor, title=note.title, body=note.body, folder=note.folder)
        return len(found)

    def _items(self, keys: Collection[str]) -> int:
        rows = ChecklistItem.objects.filter(case=self.case).exclude(phase=Phase.PREPARATION)
        found = _found(rows.order_by("position", "pk"), "key", {clean(key) for key in keys}, "checklist item")
        casecopies.keep(
            ChecklistItem,
            [
                ChecklistItem(
                    case=self.made, key=f"split_{place}", position=checklist.MANUAL_POSITION + place,
                    **casecopies.values_of(item),
                )
                for place, item in enumerate(found, start=1)
            ],
        )  # fmt: skip
        return len(found)
