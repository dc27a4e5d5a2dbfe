"""Merging a duplicate into another case: findings are joined by value, evidence stays with its custody.

The duplicate is closed with a link. What the merge added is remembered in the link, so that it can be taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import access
from ircase.models import (
    Asset,
    Case,
    CaseLink,
    CaseMember,
    ChecklistItem,
    Classification,
    Event,
    Evidence,
    Indicator,
    User,
)
from ircase.services import cases, log
from ircase.services.analysis.findings import clean
from ircase.services.casework import closing

MOST: Final = 20_000


@dataclass(frozen=True)
class Plan:
    """What a merge would do. `hold` says why it cannot be done now."""

    new_assets: int
    joined_assets: int
    new_indicators: int
    joined_indicators: int
    new_events: int
    joined_events: int
    exhibits: int
    open_items: int
    notes: int
    people: tuple[str, ...]
    hold: tuple[str, ...]


@dataclass(frozen=True)
class _Findings:
    """What the other case lacks, by value."""

    assets: list[Asset]
    indicators: list[Indicator]
    events: list[Event]


def plan(case: Case, into: Case, actor: User) -> Plan:
    """What would move and what would stay; changes nothing."""
    new = _missing(case, into)
    there = CaseMember.objects.filter(case=into).values("user")
    left = CaseMember.objects.filter(case=case).exclude(user__in=there).select_related("user")
    return Plan(
        new_assets=len(new.assets),
        joined_assets=case.assets.count() - len(new.assets),
        new_indicators=len(new.indicators),
        joined_indicators=case.indicators.count() - len(new.indicators),
        new_events=len(new.events),
        joined_events=case.events.count() - len(new.events),
        exhibits=Evidence.objects.filter(case=case).count(),
        open_items=case.checklist.filter(state__in=ChecklistItem.LIVE).exclude(phase="preparation").count(),
        notes=case.notes.count(),
        people=tuple(member.user.name for member in left),
        hold=tuple(_holds(case, into, actor)),
    )


def _holds(case: Case, into: Case, actor: User) -> list[str]:
    found = []
    if case.pk == into.pk:
        found.append("A case cannot be merged into itself.")
    if not into.is_open:
        found.append("The other case is closed.")
    if not case.is_open:
        found.append("This case is closed.")
    if case.confidential and not into.confidential:
        found.append("This case is confidential and the other is not: its findings would be seen by more people.")
    if case.classification == into.classification == Classification.UNKNOWN:
        found.append("Neither case has a classification: set one, for the duplicate is closed with it.")
    if not access.still_may(actor, into, access.LEAD):
        found.append("You have to lead both cases.")
    if max(case.assets.count(), case.indicators.count(), case.events.count()) > MOST:
        found.append(f"It has more than {MOST:,} assets, indicators or events.")
    checks = closing.look_over(case)
    return found + [one.text for one in checks if one.holds and one.code != "classification"]


def _missing(case: Case, into: Case) -> _Findings:
    assets = set(into.assets.values_list("kind", "name"))
    indicators = set(into.indicators.values_list("kind", "value_digest"))
    events = set(into.events.values_list("at", "title"))
    return _Findings(
        [row for row in case.assets.all()[:MOST] if (row.kind, row.name) not in assets],
        [row for row in case.indicators.all()[:MOST] if (row.kind, row.value_digest) not in indicators],
        [row for row in case.events.all()[:MOST] if (row.at, row.title) not in events],
    )


@transaction.atomic
def merge(*, case: Case, into: Case, actor: User, reason: str) -> CaseLink:
    """Join the findings of `case` into `into`, and close `case` as its duplicate. Raises PermissionDenied,
    ValidationError."""
    _require_lead(actor, case)
    _require_lead(actor, into)
    if not reason.strip():
        raise ValidationError({"reason": "Say how you know that both are the same incident."})
    # In one order, so that two merges the other way round do not wait for each other.
    locked = {row.pk: row for row in Case.objects.select_for_update().filter(pk__in=[case.pk, into.pk]).order_by("pk")}
    case, into = locked[case.pk], locked[into.pk]
    if holds := _holds(case, into, actor):
        raise ValidationError(holds)
    if CaseLink.objects.filter(case=case, other=into, kind=CaseLink.Kind.DUPLICATE, removed_at=None).exists():
        raise ValidationError("The two are linked as duplicates already. Remove that link first.")
    made = CaseLink(case=case, other=into, kind=CaseLink.Kind.DUPLICATE, reason=clean(reason).strip(), made_by=actor)
    added = _join(_missing(case, into), into, actor, made)
    made.merge = {name: [str(row.uuid) for row in rows] for name, rows in added.items()}
    made.save()
    counts = {name: len(rows) for name, rows in added.items()}
    log.record("case.merged_in", case=into, actor=actor, link=str(made.uuid), **counts)
    _close(case, into, actor)
    return made


def _join(new: _Findings, into: Case, actor: User, made: CaseLink) -> dict[str, Sequence[Any]]:
    """Copies of what the other case lacks. They say which merge they came by, and no reference of the other case."""

    def origin(row: Any) -> dict[str, Any]:
        return {"case": into, "added_by": actor, "provenance": {"merge": str(made.uuid), "finding": str(row.uuid)}}

    assets = Asset.objects.bulk_create(
        Asset(**_copied(row, "kind", "name", "identifier", "description", "compromise", "details"), **origin(row))
        for row in new.assets
    )
    indicators = Indicator.objects.bulk_create(
        Indicator(**_copied(row, "kind", "value", "value_digest", "tlp", "verdict", "first_seen", "last_seen",
                            "description"), **origin(row))
        for row in new.indicators
    )  # fmt: skip
    events = Event.objects.bulk_create(
        Event(**_copied(row, "at", "title", "technique", "lane", "source", "row", "in_report", "description"),
              **origin(row))
        for row in new.events
    )  # fmt: skip
    return {"assets": assets, "indicators": indicators, "events": events}


def _copied(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _close(case: Case, into: Case, actor: User) -> None:
    if case.classification == Classification.UNKNOWN:
        cases.edit_case(case=case, actor=actor, classification=into.classification, determination=into.determination)
    # No reference: readers of this case need not be those of the other. Who may see it finds it in the links.
    cases.close_case(case=case, actor=actor, reason="Merged into another case as its duplicate.")


@transaction.atomic
def undo(*, made: CaseLink, actor: User, reason: str) -> dict[str, int]:
    """Open the duplicate again and take away what the merge added and nobody has worked on since: how many of each were
    kept. Raises PermissionDenied, ValidationError."""
    row = CaseLink.objects.select_for_update(of=("self",)).select_related("case", "other").get(pk=made.pk)
    _require_lead(actor, row.case)
    _require_lead(actor, row.other)
    if row.merge is None or row.removed_at is not None:
        raise ValidationError("This is no merge that stands.")
    if not reason.strip():
        raise ValidationError({"reason": "Say why the two are taken apart again."})
    if not row.other.is_open:
        raise ValidationError("The case it was merged into is closed. Open it again first.")
    kept = {
        "events": _take_away(Event, row, "title", "description", "technique", "lane", "in_report"),
        "indicators": _take_away(Indicator, row, "verdict", "description", "tlp"),
        "assets": _take_away(Asset, row, "compromise", "description"),
    }
    row.removed_at, row.removed_by = timezone.now(), actor
    row.save(update_fields=["removed_at", "removed_by"])
    if not row.case.is_open:
        cases.reopen_case(case=row.case, actor=actor, reason=reason)
    log.record("case.merge_undone", case=row.other, actor=actor, reason=reason, link=str(row.uuid), kept=kept)
    return kept


def _take_away(model: Any, made: CaseLink, *judged: str) -> int:
    """Delete the copies that still say what their originals say; how many were kept because somebody changed them."""
    copies = list(model.objects.filter(case=made.other, uuid__in=(made.merge or {}).get(_NAMES[model], [])))
    originals = {
        str(one.uuid): one
        for one in model.objects.filter(case=made.case, uuid__in=[c.provenance.get("finding") for c in copies])
    }
    untouched = [
        copy.pk
        for copy in copies
        if (original := originals.get(copy.provenance.get("finding", ""))) is not None
        and all(getattr(copy, name) == getattr(original, name) for name in judged)
    ]
    model.objects.filter(pk__in=untouched).delete()
    return len(copies) - len(untouched)


_NAMES: Final = {Asset: "assets", Indicator: "indicators", Event: "events"}


def _require_lead(actor: User, case: Case) -> None:
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Cases are merged by who leads both.")
