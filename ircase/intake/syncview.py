"""What the page of a case's incidents shows of the two sides: values, conflicts, what waits, comments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ircase.intake import agreeing
from ircase.models import (
    Case,
    CaseIncident,
    CaseSync,
    Classification,
    Determination,
    IncidentComment,
    IncidentSync,
    IncomingIncident,
    JobState,
    Severity,
    SyncChange,
    SyncConflict,
    SyncField,
    SyncState,
)
from msapi.incidents import read_incident

_WORDS: dict[str, dict[str, str]] = {
    SyncField.STATUS: {agreeing.OPEN: "Open", agreeing.RESOLVED: "Resolved"},
    SyncField.CLASSIFICATION: dict(Classification.choices),
    SyncField.DETERMINATION: dict(Determination.choices),
    SyncField.SEVERITY: dict(Severity.choices),
}
COMMENTS_SHOWN = 50


@dataclass(frozen=True)
class FieldRow:
    """One field on both sides. `change`: what waits or failed; `conflict`: what a person has to choose."""

    label: str
    ours: str
    theirs: str
    same: bool
    change: SyncChange | None
    conflict: SyncConflict | None


@dataclass(frozen=True)
class SyncRow:
    """What is kept the same for one incident."""

    fields: tuple[FieldRow, ...]
    assigned: str | None
    comments: tuple[IncidentComment, ...] | None


@dataclass(frozen=True)
class Word:
    """Whether a confidential case may be told; `needed` where it is confidential and something is kept the same."""

    needed: bool
    allowed: bool


def words(field: str, value: Any) -> str:
    """A value for people."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    text = str(value if value is not None else "")
    return _WORDS.get(field, {}).get(text, text) or "nobody"


def of_case(case: Case, links: Sequence[CaseIncident]) -> tuple[dict[int, SyncRow], Word]:
    """By the links' primary keys, and the word on confidentiality. Eight queries; one where nothing is kept."""
    tenants = {link.incoming.connection_id for link in links if link.incoming and link.removed_at is None}
    syncs = {row.connection_id: row for row in IncidentSync.objects.filter(connection__in=tenants, enabled=True)}
    held = [
        link for link in links if link.removed_at is None and link.incoming and link.incoming.connection_id in syncs
    ]
    if not held:
        return {}, Word(False, False)
    states = {state.link_id: state for state in SyncState.objects.filter(link__in=held)}
    changes = SyncChange.objects.filter(link__in=held).exclude(state__in=(JobState.DONE, JobState.CANCELLED))
    last = {(change.link_id, change.field): change for change in changes.order_by("queued_at")}
    conflicts = {(one.link_id, one.field): one for one in SyncConflict.objects.filter(link__in=held, choice="")}
    comments: dict[int, list[IncidentComment]] = defaultdict(list)
    for comment in IncidentComment.objects.filter(link__in=held).order_by("-written_at", "-pk")[:COMMENTS_SHOWN]:
        comments[comment.link_id].insert(0, comment)
    raws = dict(IncomingIncident.objects.filter(links__in=held).values_list("pk", "raw"))
    found = {}
    for link in held:
        assert link.incoming is not None
        sync = syncs[link.incoming.connection_id]  # type: ignore[index]
        state = states.get(link.pk)
        kept = state.ours if state else {}
        incident = read_incident(raws[link.incoming.pk])
        rows = tuple(
            _row(case, link, field, kept, agreeing.theirs_of(incident, field), last, conflicts) for field in sync.fields
        )
        assigned = str(kept.get(SyncField.ASSIGNED, "")) if SyncField.ASSIGNED in sync.fields else None
        found[link.pk] = SyncRow(rows, assigned, tuple(comments[link.pk]) if sync.comments else None)
    allowed = CaseSync.objects.filter(case=case, allowed=True).exists()
    return found, Word(case.confidential, allowed)


def _row(
    case: Case,
    link: CaseIncident,
    field: str,
    kept: dict[str, Any],
    theirs: Any,
    last: dict[tuple[int, str], SyncChange],
    conflicts: dict[tuple[int, str], SyncConflict],
) -> FieldRow:
    ours = agreeing.ours_of(case, kept, field)
    key = (link.pk, field)
    return FieldRow(
        SyncField(field).label,
        words(field, ours),
        words(field, theirs),
        ours == theirs,
        last.get(key),
        conflicts.get(key),
    )
