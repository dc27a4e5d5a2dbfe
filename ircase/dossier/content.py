"""A case's content as JSON: every row of it with all fields, people as text, other rows by their uuid or exhibit.

Apps above register what is theirs when Django starts; the case does not know them.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import ForeignKey, Model, OneToOneField, QuerySet

from ircase.dossier.linked import link_rows
from ircase.models import (
    AccessReview,
    Activity,
    Approval,
    Asset,
    Case,
    CaseImport,
    CaseIncident,
    CaseMember,
    CasePlaybook,
    CaseTag,
    ChecklistItem,
    Clock,
    Comment,
    CommentRevision,
    Connection,
    CustodyBefore,
    Decision,
    Destruction,
    Event,
    EventTechnique,
    Evidence,
    Handling,
    HandOver,
    Improvement,
    IncidentComment,
    Indicator,
    ItemChange,
    LegalHold,
    Milestone,
    Note,
    NoteRevision,
    PhaseEntry,
    Proof,
    RecordBefore,
    ReportBuild,
    RetentionReview,
    RowTag,
    Star,
    TimelineView,
    Transfer,
    User,
)

Rows = Callable[[Case], QuerySet[Any]]
# What only this site's own work needs, or what would give a secret away.
_LEFT_OUT: Final = frozenset(
    {"id", "case", "owner", "heartbeat_at", "lease_owner", "lease_until", "secret_encrypted", "password", "seen_file"}
)
BEFORE: Final = "before"
LINKS: Final = "links"
_areas: dict[str, Rows] = {
    "case": lambda case: Case.objects.filter(pk=case.pk),
    "members": lambda case: CaseMember.objects.filter(case=case).order_by("pk"),
    "phases": lambda case: PhaseEntry.objects.filter(case=case),
    "milestones": lambda case: Milestone.objects.filter(case=case),
    "checklist": lambda case: ChecklistItem.objects.filter(case=case).prefetch_related("depends_on"),
    "checklist_changes": lambda case: ItemChange.objects.filter(item__case=case),
    "playbook": lambda case: CasePlaybook.objects.filter(case=case),
    "proofs": lambda case: Proof.objects.filter(item__case=case),
    "incidents": lambda case: CaseIncident.objects.filter(case=case).defer("incoming__raw"),
    "incident_comments": lambda case: IncidentComment.objects.filter(link__case=case),
    "notes": lambda case: Note.objects.filter(case=case).order_by("pk"),
    "note_revisions": lambda case: NoteRevision.objects.filter(note__case=case).order_by("pk"),
    "comments": lambda case: Comment.objects.filter(case=case).order_by("pk"),
    "comment_revisions": lambda case: CommentRevision.objects.filter(comment__case=case).order_by("pk"),
    "timeline": lambda case: Event.objects.filter(case=case).prefetch_related("assets", "indicators", "tags"),
    "event_techniques": lambda case: EventTechnique.objects.filter(event__case=case),
    "assets": lambda case: Asset.objects.filter(case=case),
    "indicators": lambda case: Indicator.objects.filter(case=case).prefetch_related("tags"),
    "activities": lambda case: Activity.objects.filter(case=case).prefetch_related("evidence").order_by("pk"),
    "approvals": lambda case: Approval.objects.filter(case=case).order_by("pk"),
    "stars": lambda case: Star.objects.filter(case=case).order_by("pk"),
    "row_tags": lambda case: RowTag.objects.filter(case=case).order_by("pk"),
    "holds": lambda case: LegalHold.objects.filter(case=case).order_by("pk"),
    "decisions": lambda case: (
        Decision.objects.filter(case=case).prefetch_related("items", "evidence").order_by("number")
    ),
    "clocks": lambda case: Clock.objects.filter(case=case),
    "handovers": lambda case: HandOver.objects.filter(case=case).order_by("pk"),
    "improvements": lambda case: Improvement.objects.filter(case=case).order_by("pk"),
    "transfers": lambda case: Transfer.objects.filter(evidence__case=case).order_by("pk"),
    "tags": lambda case: CaseTag.objects.filter(case=case).order_by("name"),
    "handling": lambda case: Handling.objects.filter(evidence__case=case).exclude(mark="").order_by("pk"),
    "access_reviews": lambda case: AccessReview.objects.filter(case=case).order_by("pk"),
    "reports": lambda case: ReportBuild.objects.filter(case=case).order_by("pk"),
    "destructions": lambda case: Destruction.objects.filter(case=case).prefetch_related("exhibits").order_by("pk"),
    "retention_reviews": lambda case: RetentionReview.objects.filter(evidence__case=case).order_by("pk"),
    "timeline_views": lambda case: TimelineView.objects.filter(case=case).order_by("pk"),
    "brought_in": lambda case: CaseImport.objects.filter(case=case),
    "custody_before": lambda case: CustodyBefore.objects.filter(evidence__case=case).order_by("evidence", "sequence"),
    BEFORE: lambda case: RecordBefore.objects.filter(case=case).order_by("area", "sequence"),
}


def register(name: str, rows: Rows) -> None:
    """`rows` of a case are exported as case/`name`.json from now on. `name` is plain letters and underscores."""
    _areas[name] = rows


def areas() -> list[str]:
    return sorted([*_areas, LINKS])


def model_of(name: str) -> type[Model]:
    """The model whose rows an area holds; not for the links, which are no rows."""
    return _areas[name](Case(pk=0)).model


def chunks_of_area(name: str, case: Case, reader: User) -> Iterator[bytes]:
    """One area as a JSON array, a row a line. What it says of other cases is no more than `reader` may see."""
    first = True
    for row in link_rows(case, reader, named) if name == LINKS else rows_of(_areas[name](case)):
        text = json.dumps(row, default=_plain, sort_keys=True, ensure_ascii=True)
        yield (("[\n" if first else ",\n") + text).encode("ascii")
        first = False
    yield b"[]\n" if first else b"\n]\n"


def _plain(value: object) -> str:
    """Times whole, to the microsecond; uuids and the like as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def rows_of(found: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    model = found.model
    links = [field for field in model._meta.concrete_fields if isinstance(field, ForeignKey | OneToOneField)]
    wanted = [
        f"{field.name}__elsewhere" if field.related_model is User else field.name
        for field in links
        if field.name not in ("case", "last")
    ]
    for row in found.select_related(*wanted).iterator(chunk_size=500):
        yield as_json(row)


def as_json(row: Model) -> dict[str, Any]:
    """A row's own fields by name. `_id` names it where other rows point to it."""
    values: dict[str, Any] = {"_id": named(row)}
    if not hasattr(row, "uuid"):
        # What comments call it.
        values["_number"] = str(row.pk)
    for field in row._meta.concrete_fields:
        if field.name in _LEFT_OUT and not (field.name == "owner" and field.is_relation):
            continue
        if not field.is_relation:
            values[field.name] = getattr(row, field.attname)
        elif row._state.fields_cache.get(field.name) is not None or getattr(row, field.attname) is None:
            values[field.name] = named(getattr(row, field.name))
    for many in row._meta.many_to_many:
        if many.name in getattr(row, "_prefetched_objects_cache", {}):
            values[many.name] = [named(other) for other in getattr(row, many.name).all()]
    return values


def _person(user: User) -> dict[str, str]:
    return {"username": user.username, "name": user.name}


def named(row: Model | None) -> Any:
    """How other rows call it: a person by both names, an exhibit by its number, the rest by uuid, key or title."""
    if row is None:
        return None
    if isinstance(row, User):
        elsewhere = getattr(row, "elsewhere", None)
        return {"username": elsewhere.username, "name": elsewhere.name} if elsewhere else _person(row)
    if isinstance(row, Evidence):
        return row.exhibit
    if isinstance(row, Connection):
        return {"name": row.name, "tenant_id": row.tenant_id}
    return str(getattr(row, "uuid", None) or getattr(row, "key", None) or row.pk)
