"""What an export says, read with distrust, and the case's content rebuilt from it: people as text, rows as new rows."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.db import models
from django.utils import timezone

from ircase.dossier import refinding
from ircase.dossier.reading import Row, choice, data, moment, text, who
from ircase.models import (
    Case,
    ChecklistItem,
    Classification,
    Determination,
    Evidence,
    Milestone,
    Note,
    NoteRevision,
    Phase,
    PhaseEntry,
    Proof,
    Severity,
    Tlp,
    User,
)

AREAS: Final = (
    "case",
    "milestones",
    "checklist",
    "proofs",
    "notes",
    "note_revisions",
    "timeline",
    "event_techniques",
    "assets",
    "indicators",
)
MOST_ROWS: Final = 100_000
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
_EXHIBIT: Final = re.compile(r"E\d{3,9}")
M = TypeVar("M", bound=models.Model)


class NotAnExport(ValueError):
    """The register or an area has not the shape of an export."""


@dataclass(frozen=True)
class Exhibit:
    """An exhibit as the register has it. `file` is "" where its bytes did not come."""

    exhibit: str
    name: str
    kind: str
    media_type: str
    description: str
    partial: bool
    sha256: str
    file: str
    manifest: str
    custody: str
    chain: str


@dataclass(frozen=True)
class Facts:
    """`opening`: what a case is opened with; `rest`: what is set on it after that."""

    opening: dict[str, Any]
    rest: dict[str, Any]


def reference_of(register: Any) -> str:
    """The case's old reference; "" where this is no register."""
    case = register.get("case") if isinstance(register, dict) else None
    found = case.get("reference") if isinstance(case, dict) else None
    items = register.get("exhibits") if isinstance(register, dict) else None
    good = isinstance(found, str) and _REFERENCE.fullmatch(found) and isinstance(items, list)
    return str(found) if good else ""


def exhibits_of(register: Any) -> list[Exhibit]:
    """Raises NotAnExport."""
    found, seen = [], set()
    for row in register["exhibits"]:
        label = text(row, "exhibit", 20) if isinstance(row, dict) else ""
        if not _EXHIBIT.fullmatch(label) or label in seen:
            raise NotAnExport("An exhibit of the register has no number, or one twice.")
        seen.add(label)
        found.append(
            Exhibit(
                exhibit=label,
                name=text(row, "name", 255) or "unnamed",
                kind=choice(row, "kind", Evidence.Kind, Evidence.Kind.UPLOAD),
                media_type=text(row, "media_type", 100) or "application/octet-stream",
                description=text(row, "description"),
                partial=row.get("partial") is True,
                sha256=text(row, "sha256", 64),
                file=text(row, "file", 200),
                manifest=text(row, "manifest", 200),
                custody=text(row, "custody", 200),
                chain=text(row, "chain", 80),
            )
        )
    return found


def rows_of(found: Any, name: str) -> list[dict[str, Any]]:
    """An area's rows. Raises NotAnExport."""
    if found is None:
        return []  # the verifier has said that it cannot be read, and a person took that over
    if not isinstance(found, list) or len(found) > MOST_ROWS or not all(isinstance(row, dict) for row in found):
        raise NotAnExport(f"case/{name}.json is no list of at most {MOST_ROWS:,} rows.")
    return found


def manifest_of(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"origin": "import", "problem": "the manifest could not be read"}


def lines_of(content: bytes | None) -> list[str]:
    """A chain's lines as they came; bytes that are no UTF-8 are shown as such."""
    return [line.decode("utf-8", "backslashreplace").replace("\x00", "") for line in (content or b"").splitlines()]


def sha256_of_lines(lines: list[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def digest_of_line(line: str) -> str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return text(found, "digest", 64) if isinstance(found, dict) else ""


def case_facts(rows: list[dict[str, Any]], reference: str) -> Facts:
    row: Row = rows[0] if rows else {}
    opening = {
        "title": text(row, "title", 200) or f"Exhibits of {reference}",
        "severity": choice(row, "severity", Severity, Severity.MEDIUM),
        "tlp": choice(row, "tlp", Tlp, Tlp.AMBER),
        "exercise": row.get("exercise") is True,
        "description": text(row, "description"),
    }
    rest = {
        "summary": text(row, "summary"),
        "lessons": text(row, "lessons"),
        "classification": choice(row, "classification", Classification, Classification.UNKNOWN),
        "determination": choice(row, "determination", Determination, Determination.UNKNOWN),
        "phase": choice(row, "phase", Phase, Phase.DETECTION),
    }
    return Facts(opening, rest)


# --- the content -----------------------------------------------------------------------------------------------------
def rebuild(
    *, case: Case, actor: User, areas: Mapping[str, list[dict[str, Any]]], exhibits: Mapping[str, Evidence], old: str
) -> None:
    """Rows of the case from the areas of the export. What people wrote is theirs by name; the rows are `actor`'s."""
    PhaseEntry.objects.filter(case=case).update(phase=case.phase, reason=f"Brought in from {old}")
    _milestones(case, actor, areas["milestones"])
    _notes(case, actor, areas["notes"], areas["note_revisions"])
    refinding.rebuild(case, actor, areas, old)
    _checklist(case, actor, areas["checklist"], areas["proofs"], exhibits)


def _milestones(case: Case, actor: User, rows: list[dict[str, Any]]) -> None:
    """Those of the case as it was; closed is left out, for the case is open here."""
    found = {}
    for row in rows:
        kind, at = choice(row, "kind", Milestone.Kind, ""), moment(row, "at")
        if kind and kind != Milestone.Kind.CLOSED and at is not None:
            note = f"By {who(row.get('set_by'))}. {text(row, 'note', 200)}"[:200]
            found[kind] = Milestone(case=case, kind=kind, at=at, set_by=actor, note=note)
    if found:
        Milestone.objects.filter(case=case).delete()
        Milestone.objects.bulk_create(found.values())


def _notes(case: Case, actor: User, rows: list[dict[str, Any]], revisions: list[dict[str, Any]]) -> None:
    notes = {}
    for row in rows:
        note = Note(case=case, title=text(row, "title", 200) or "Note", body=text(row, "body", 1 << 20))
        note.updated_by, note.version = actor, _number(row, "version")
        note.updated_at = moment(row, "updated_at") or timezone.now()
        note.folder, note.position = text(row, "folder", 200), min(_number(row, "position"), 1 << 30)
        note.pinned = row.get("pinned") is True
        note.archived_at = moment(row, "archived_at")
        note.archived_by = actor if note.archived_at else None
        notes[text(row, "_id", 64)] = note
        note.save()
    NoteRevision.objects.bulk_create(
        NoteRevision(
            note=notes[text(row, "note", 64)],
            version=_number(row, "version"),
            title=text(row, "title", 200),
            body=text(row, "body", 1 << 20),
            saved_at=moment(row, "saved_at") or timezone.now(),
            saved_by=actor,
            author=who(row.get("saved_by"))[:310],
            rejected=row.get("rejected") is True,
            settled_at=moment(row, "settled_at") if row.get("rejected") is True else None,
        )
        for row in revisions
        if text(row, "note", 64) in notes
    )


def _checklist(
    case: Case, actor: User, rows: list[dict[str, Any]], proofs: list[dict[str, Any]], exhibits: Mapping[str, Evidence]
) -> None:
    if not rows:
        return
    # The snapshot of this organisation's preparation gives way to the one of the other.
    ChecklistItem.objects.filter(case=case).delete()
    items: dict[str, ChecklistItem] = {}
    for place, row in enumerate(rows):
        key = text(row, "key", 80) or f"imported_{place}"
        items.setdefault(key, _item(case, key, place, row))
    ChecklistItem.objects.bulk_create(items.values())
    for row in rows:
        needed = [items[str(key)] for key in data(row, "depends_on", list) if str(key) in items]
        if needed:
            items[text(row, "key", 80)].depends_on.set(needed)
    Proof.objects.bulk_create(
        Proof(item=items[text(row, "item", 80)], evidence=exhibits[text(row, "evidence", 20)], added_by=actor)
        for row in proofs
        if text(row, "item", 80) in items and text(row, "evidence", 20) in exhibits
    )


def _item(case: Case, key: str, place: int, row: Row) -> ChecklistItem:
    people = [f"{said} {who(row.get(name))}" for said, name in (("owner", "owner"), ("ended by", "ended_by"))
              if row.get(name)]  # fmt: skip
    before = f"\n\nBefore import: {', '.join(people)}." if people else ""
    return ChecklistItem(
        case=case,
        key=key,
        position=place,
        phase=choice(row, "phase", Phase, Phase.DETECTION),
        title=text(row, "title", 600),
        guidance=text(row, "guidance") + before,
        r2_step=text(row, "r2_step", 8),
        csf_outcome=text(row, "csf_outcome", 16),
        required=row.get("required") is True,
        proof_rule=choice(row, "proof_rule", ChecklistItem.ProofRule, ChecklistItem.ProofRule.LINK),
        asset_name=text(row, "asset_name", 255),
        due_at=moment(row, "due_at"),
        state=choice(row, "state", ChecklistItem.State, ChecklistItem.State.OPEN),
        result=text(row, "result"),
        ended_at=moment(row, "ended_at"),
    )


def _number(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and 0 < value < 2**31 else 1
