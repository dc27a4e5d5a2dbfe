"""Merging a duplicate into another case: findings are joined by value, incidents, notes and items that it lacks come
along, and evidence stays with its custody.

The duplicate is closed with a link. What the merge added is remembered in the link, so that it can be taken back.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase import access
from ircase.intake import touched
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
from ircase.services.casework import casecopies, closing, mergedincidents, mergedwork
from ircase.services.phases import repeats

MOST: Final = 20_000


@dataclass(frozen=True)
class Plan:
    """What a merge would do. `notes` and `open_items` are all of them, of which `new_notes` and `new_items` come along;
    `told` is how many open items of the other case get to know what was done here. `hold` says why it cannot be done
    now."""

    new_assets: int
    joined_assets: int
    new_indicators: int
    joined_indicators: int
    new_events: int
    joined_events: int
    exhibits: int
    open_items: int
    notes: int
    new_notes: int
    new_items: int
    new_incidents: int
    staying_incidents: int
    told: int
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
    new, work, incidents = _missing(case, into), mergedwork.lacking(case, into), mergedincidents.lacking(case, into)
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
        new_notes=len(work.notes),
        new_items=len(work.items),
        new_incidents=len(incidents.come),
        staying_incidents=len(incidents.stay),
        told=len(work.ended),
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
    if case.exercise != into.exercise:
        found.append("One of the two is an exercise: what was played would stand beside what happened.")
    if _escapes_review(case, into):
        found.append("This case is closed by two people and the other is not: give the other its severity first.")
    if not access.still_may(actor, into, access.LEAD):
        found.append("You have to lead both cases.")
    if max(case.assets.count(), case.indicators.count(), case.events.count()) > MOST:
        found.append(f"It has more than {MOST:,} assets, indicators or events.")
    checks = closing.look_over(case)
    return found + [one.text for one in checks if one.holds and one.code != "classification"]


def _escapes_review(case: Case, into: Case) -> bool:
    """Whether a second person would have to look at the end of this case, and nobody at that of the other."""
    known = case.classification != Classification.UNKNOWN
    closed_as = Case(severity=case.severity, classification=case.classification if known else into.classification)
    return closing.needs_review(closed_as) and not closing.needs_review(into)


def _missing(case: Case, into: Case) -> _Findings:
    assets = set(into.assets.values_list("kind", "name"))
    indicators = set(into.indicators.values_list("kind", "value_digest"))
    events = set(into.events.values_list("at", "title"))
    told = case.events.prefetch_related("techniques", "assets", "indicators")
    return _Findings(
        [row for row in case.assets.all()[:MOST] if (row.kind, row.name) not in assets],
        [row for row in case.indicators.all()[:MOST] if (row.kind, row.value_digest) not in indicators],
        [row for row in told[:MOST] if (row.at, row.title) not in events],
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
    new, work = _missing(case, into), mergedwork.lacking(case, into)
    link = str(made.uuid)
    incidents = mergedincidents.bring(mergedincidents.lacking(case, into).come, into, actor)
    made.merge = _join(new, case, into, actor, link) | mergedwork.bring(work, into, actor, link) | incidents
    # What was written until here came by the merge: whoever touches it from now on works on it.
    made.made_at = timezone.now()
    made.save()
    counts = {name: len(names) for name, names in made.merge.items()}
    log.record("case.merged_in", case=into, actor=actor, link=link, **counts)
    _close(case, into, actor)
    return made


def _join(new: _Findings, case: Case, into: Case, actor: User, link: str) -> dict[str, list[str]]:
    """Copies of what the other case lacks, their uuids by kind. They say which merge they came by, and no reference of
    the other case; events name what they named, as it is called there."""
    assets = casecopies.findings(Asset, new.assets, into, actor, "merge", link)
    indicators = casecopies.findings(Indicator, new.indicators, into, actor, "merge", link)
    events = casecopies.findings(Event, new.events, into, actor, "merge", link)
    casecopies.join(
        new.events, events,
        _counterparts(case.assets.all(), into.assets.all(), "kind", "name"),
        _counterparts(case.indicators.all(), into.indicators.all(), "kind", "value_digest"),
    )  # fmt: skip
    casecopies.tags(into, Event.tags.through, "event", events)
    casecopies.tags(into, Indicator.tags.through, "indicator", indicators)
    # Devices and accounts that the other case did not know of have their own steps there (SP 800-61r2, step 6.3).
    for asset in assets.values():
        repeats.judged(asset=asset, actor=actor)
    made = {"assets": assets, "indicators": indicators, "events": events}
    return {name: [str(row.uuid) for row in copies.values()] for name, copies in made.items()}


def _counterparts(here: QuerySet[Any], there: QuerySet[Any], *names: str) -> dict[int, Any]:
    """Key of a row -> the row of the other case that stands for the same thing."""
    known = {tuple(getattr(row, name) for name in names): row for row in there.only(*names)}
    rows = here.values_list("pk", *names)
    return {pk: known[tuple(key)] for pk, *key in rows if tuple(key) in known}


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
    kept = _take_away(row, actor)
    work = mergedwork.take_away(row.other, row.merge, actor, row.made_at)
    work["incidents"] = mergedincidents.take_away(row.other, row.merge.get("incidents", ()), actor)
    row.removed_at, row.removed_by = timezone.now(), actor
    row.save(update_fields=["removed_at", "removed_by"])
    if not row.case.is_open:
        cases.reopen_case(case=row.case, actor=actor, reason=reason)
    log.record("case.merge_undone", case=row.other, actor=actor, reason=reason, link=str(row.uuid), kept=kept | work)
    return kept


def _take_away(made: CaseLink, actor: User) -> dict[str, int]:
    """Delete the copies that nobody changed, named in the log, or linked since; how many of each were kept."""
    came = made.merge or {}
    copies = {
        model: list(model.objects.filter(case=made.other, uuid__in=came.get(name, ())))
        for model, name in _NAMES.items()
    }
    every = {str(row.uuid) for rows in copies.values() for row in rows}
    stays = touched.logged(made.other, every, since=made.made_at)
    for model, rows in copies.items():
        stays |= _changed(model, rows, made)
    # Events first: what only they name leaves with them.
    for model, rows in copies.items():
        stays |= touched.linked(model, rows, every - stays, aside=(ChecklistItem,)).keys()
        stays |= {str(row.uuid) for row in rows if model is Asset and _is_worked_on(row)}
    kept = {}
    for model, rows in copies.items():
        going = [row for row in rows if str(row.uuid) not in stays]
        for row in going if model is Asset else ():
            repeats.leave(asset=row, actor=actor, reason=f"The merge that had brought {row.name} was undone.")
        model.objects.filter(pk__in=[row.pk for row in going]).delete()
        kept[_NAMES[model]] = len(rows) - len(going)
    return kept


def _changed(model: Any, copies: list[Any], made: CaseLink) -> set[str]:
    """Those that say something else than their origins."""
    origins = {
        str(row.uuid): casecopies.values_of(row)
        for row in model.objects.filter(case=made.case, uuid__in=[copy.provenance.get("finding") for copy in copies])
    }
    return {
        str(copy.uuid)
        for copy in copies
        if origins.get(copy.provenance.get("finding", "")) != casecopies.values_of(copy)
    }


def _is_worked_on(asset: Asset) -> bool:
    """Whether somebody began one of the steps that the asset got."""
    return asset.checklist_items.exclude(state=ChecklistItem.State.OPEN).exists()


_NAMES: Final[dict[Any, str]] = {Event: "events", Indicator: "indicators", Asset: "assets"}


def _require_lead(actor: User, case: Case) -> None:
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Cases are merged by who leads both.")
