"""The super-timeline of a case: what it holds, and what people do on it."""

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import (
    Activity,
    Case,
    CaseTable,
    Evidence,
    RowTag,
    Star,
    TimelineBuild,
    TimelineExport,
    TimelineView,
    User,
)
from ircase.models.supertimeline import store_folder
from ircase.services import log, sweep
from ircase.services.analysis import findings
from ircase.services.analysis.tables import columns_of
from ircase.supertimeline import reading, rules, store
from ircase.supertimeline.model import Asked, TimelineEvent

MOST_TAGS: Final = 5_000
MOST_VIEWS: Final = 100
EXPORT_DAYS: Final = 7
ONLY: Final = {"starred": "Starred", "tagged": "Tagged", "marked": "Starred or tagged"}


def tables(case: Case) -> list[CaseTable]:
    """The case's tables whose rows are events: those that repeat rows of another are not counted twice, and those of
    destroyed exhibits are gone."""
    found = CaseTable.objects.filter(case=case, wildcard=True, row_count__gt=0).select_related("evidence")
    found = found.exclude(evidence__integrity=Evidence.Integrity.DESTROYED)
    return list(found.order_by("name", "pk"))


def wanted(case: Case) -> tuple[list[store.Wanted], list[CaseTable]]:
    """What the store should hold, and the tables without any time."""
    known, techniques = rules.load(), _hunt_techniques(case)
    found, timeless = [], []
    for table in tables(case):
        rule = known.of(table.name, columns_of(table), techniques.get(table.evidence_id, ()))
        if rule is None:
            timeless.append(table)
        else:
            found.append(store.Wanted(str(table.uuid), table.path, columns_of(table), rule))
    return found, timeless


def _hunt_techniques(case: Case) -> dict[int, list[str]]:
    """By evidence: the techniques of the hunt that found its rows."""
    found: dict[int, list[str]] = {}
    hunts = Activity.objects.filter(case=case, kind=Activity.Kind.HUNT, evidence__isnull=False)
    for item, detail in hunts.values_list("evidence", "detail"):
        if detail.get("techniques"):
            found[item] = sorted(map(str, detail["techniques"]))
    return found


@dataclass(frozen=True)
class Shown:
    """A case's store with the tables it speaks of, by uuid."""

    view: reading.View
    tables: dict[str, CaseTable]

    def part(self, number: int) -> store.Part | None:
        return next((part for part in self.view.parts if part.number == number), None)


def shown(case: Case) -> Shown:
    """What the case's super-timeline has to show now."""
    by_uuid = {str(table.uuid): table for table in tables(case)}
    for table in by_uuid.values():
        table.case = table.evidence.case = case
    names = {uuid: table.name for uuid, table in by_uuid.items()}
    return Shown(reading.View(store.read(store_folder(case.pk)), names), by_uuid)


@dataclass(frozen=True)
class Mapped:
    """A table of the case, the rule that makes events of its rows, and what the store has of it; None: nothing yet."""

    table: CaseTable
    rule: rules.Rule
    part: store.Part | None


def mappings(case: Case) -> tuple[list[Mapped], list[CaseTable]]:
    """What makes events of the case's tables, and the tables without any time."""
    found, timeless = wanted(case)
    here = shown(case)
    parts = {part.table: part for part in here.view.parts}
    used = [Mapped(here.tables[o.uuid], o.rule, parts.get(o.uuid)) for o in found if o.uuid in here.tables]
    return used, timeless


def words_of(text: str) -> tuple[str, ...]:
    """What is typed as words; what stands in double quotes is one."""
    lexer = shlex.shlex(findings.clean(text), posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        return tuple(lexer)
    except ValueError:
        return tuple(text.replace('"', " ").split())


def marked(case: Case, here: Shown, only: str, tag: str = "") -> tuple[tuple[int, int], ...]:
    """The rows that are starred, tagged, or tagged with one word, as (part, row)."""
    rows: set[tuple[int, str, int]] = set()
    if only in ("starred", "marked") and not tag:
        rows |= set(Star.objects.filter(case=case).values_list("evidence", "table_name", "number"))
    if only in ("tagged", "marked") or tag:
        found = RowTag.objects.filter(case=case)
        found = found.filter(name=tag) if tag else found
        rows |= set(found.values_list("evidence", "table_name", "number"))
    if only == "starred" and tag:
        rows &= set(Star.objects.filter(case=case).values_list("evidence", "table_name", "number"))
    parts = {(t.evidence_id, t.name): u for u, t in here.tables.items()}
    numbers = {part.table: part.number for part in here.view.parts}
    places = ((numbers.get(parts.get((item, name), "")), row) for item, name, row in rows)
    return tuple(sorted((part, row) for part, row in places if part is not None))


@dataclass(frozen=True)
class Marks:
    """What people put on the rows of a page, by (table uuid, row)."""

    stars: frozenset[tuple[str, int]]
    tags: dict[tuple[str, int], list[str]]


def marks(here: Shown, events: Sequence[TimelineEvent]) -> Marks:
    """Stars and tags of these events' rows: two questions, however many rows."""
    by_key = {(here.tables[one.table].evidence_id, here.tables[one.table].name): one.table for one in events}
    numbers = {one.row for one in events}
    asked: dict[str, Any] = {"evidence__in": {item for item, _ in by_key}, "number__in": numbers}
    stars, tags = set(), defaultdict(list)
    for item, name, row in Star.objects.filter(**asked).values_list("evidence", "table_name", "number"):
        if (item, name) in by_key:
            stars.add((by_key[item, name], row))
    for item, name, row, tag in RowTag.objects.filter(**asked).values_list("evidence", "table_name", "number", "name"):
        if (item, name) in by_key:
            tags[by_key[item, name], row].append(tag)
    return Marks(frozenset(stars), dict(tags))


def runs(here: Shown, events: Iterable[TimelineEvent]) -> dict[str, str]:
    """By table uuid: the run whose rows the table holds, for those of hunts."""
    items = {
        here.tables[one.table].evidence_id: one.table
        for one in events
        if here.tables[one.table].evidence.kind == Evidence.Kind.HUNT
    }
    if not items:
        return {}
    found = Activity.objects.filter(kind=Activity.Kind.HUNT, evidence__in=items).order_by("-pk")
    return {items[item]: str(subject) for item, subject in found.values_list("evidence", "subject")}


@transaction.atomic
def set_tags(*, table: CaseTable, actor: User, number: int, names: Iterable[str]) -> list[str]:
    """Make these the row's tags; what changed is logged. Raises ValidationError."""
    if not 0 < number <= table.row_count:
        raise ValidationError(f"This table has no row {number}.")
    said = {findings.clean(name).strip().lower() for name in names} - {""}
    there = RowTag.objects.filter(evidence=table.evidence, table_name=table.name, number=number)
    had = set(there.values_list("name", flat=True))
    if said - had and RowTag.objects.filter(case=table.case).count() + len(said - had) > MOST_TAGS:
        raise ValidationError(f"At most {MOST_TAGS:,} tags on the rows of a case.")
    if len(said) > 20:
        raise ValidationError("At most 20 tags on a row.")
    for name in sorted(said - had):
        tag = RowTag(
            case=table.case, evidence=table.evidence, table_name=table.name, number=number, name=name, tagged_by=actor
        )
        tag.full_clean(exclude=["case", "evidence", "tagged_by"])
        tag.save()
    there.filter(name__in=had - said).delete()
    if said != had:
        where = f"row {number} of {table.name}, {table.evidence.exhibit}"
        log.record(
            "row.tagged",
            case=table.case,
            actor=actor,
            title=where,
            added=sorted(said - had),
            removed=sorted(had - said),
        )
    return sorted(said)


@transaction.atomic
def save_view(*, case: Case, actor: User, name: str, asked: str) -> TimelineView:
    """Keep a filter under a name; the same name again replaces it. Raises ValidationError."""
    name = findings.clean(name).strip()[:80]
    if not name:
        raise ValidationError("Give the view a name.")
    if TimelineView.objects.filter(case=case).count() >= MOST_VIEWS:
        raise ValidationError(f"At most {MOST_VIEWS} views of a case are kept. Remove one first.")
    view, _ = TimelineView.objects.update_or_create(
        case=case, name=name, defaults={"asked": asked[:4_000], "saved_by": actor, "saved_at": timezone.now()}
    )
    log.record("timeline.view_saved", case=case, actor=actor, title=name, asked=view.asked)
    return view


@transaction.atomic
def remove_view(*, view: TimelineView, actor: User) -> None:
    log.record("timeline.view_removed", case=view.case, actor=actor, title=view.name, asked=view.asked)
    view.delete()


@transaction.atomic
def request_export(*, case: Case, actor: User, kind: str, asked: str) -> TimelineExport:
    """Have the events of a filter written to a file. Raises ValidationError."""
    if kind not in TimelineExport.Format.values:
        raise ValidationError(f"Events are exported as {', '.join(TimelineExport.Format.values)}.")
    export = TimelineExport.objects.create(case=case, requested_by=actor, kind=kind, asked=asked[:4_000])
    log.record("timeline.export_asked", case=case, actor=actor, title=export.get_kind_display(), asked=export.asked)
    jobs.enqueue("ircase.export_timeline", export.pk)
    return export


def tidy() -> None:
    """Beat's part: lost builds and exports go on, files whose time is over go."""
    sweep.take_up(TimelineBuild.objects.all(), "ircase.build_timeline")
    sweep.take_up(TimelineExport.objects.all(), "ircase.export_timeline")
    _drop(TimelineExport.objects.filter(expires_at__lt=timezone.now()))


def drop_exports(item: Evidence) -> None:
    """An exhibit was destroyed: the files go that hold rows of it."""
    there = TimelineExport.objects.filter(case=item.case_id, expires_at__isnull=False)
    _drop(one for one in there if item.exhibit in {table["evidence"] for table in one.manifest.get("tables", ())})


def _drop(exports: Iterable[TimelineExport]) -> None:
    for export in exports:
        export.path.unlink(missing_ok=True)
        TimelineExport.objects.filter(pk=export.pk).update(expires_at=None)


def expiry() -> Any:
    return timezone.now() + timedelta(days=EXPORT_DAYS)


Provenance = Callable[[TimelineEvent], dict[str, Any]]


def provenance(case: Case, here: Shown) -> Provenance:
    """What leads back from an event: case, exhibit, its SHA-256, table and row."""
    known = {
        uuid: {
            "case": case.reference,
            "evidence": table.evidence.exhibit,
            "evidence_sha256": table.evidence.sha256,
            "table": table.name,
        }
        for uuid, table in here.tables.items()
    }
    return lambda event: known[event.table] | {"row": event.row}


def parts_of(here: Shown, asked: Asked) -> list[CaseTable]:
    """The tables that a filter's sources and span of time leave."""
    return [here.tables[part.table] for part in here.view.tables(asked)]
