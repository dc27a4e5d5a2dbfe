"""How each area of an export becomes rows of a case here. Apps above add theirs when Django starts."""

import re
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from ircase import catalogue
from ircase.dossier.reading import Row, text
from ircase.dossier.recalling import origins
from ircase.dossier.recalling.origins import BY_UUID
from ircase.dossier.recalling.rows import EXHIBITS, Recipe, Refused
from ircase.dossier.recalling.scene import Scene, new_uuid
from ircase.models import (
    FINAL_STATES,
    Activity,
    CaseIncident,
    CasePlaybook,
    CaseTag,
    ChecklistItem,
    Clock,
    Comment,
    CommentRevision,
    Decision,
    Handling,
    HandOver,
    Improvement,
    IncidentComment,
    ItemChange,
    JobState,
    LegalHold,
    Milestone,
    Note,
    NoteRevision,
    PhaseEntry,
    Proof,
    RowTag,
    Star,
)
from ircase.services.writing import comments

ENDED: Final = (*FINAL_STATES, "partial", "expired", "refused")
BY_NUMBER: Final = "checklist by number"
ELSEWHERE: Final = "before:"
_BEFORE_PAGE: Final = "ircase:before_item"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a comment's kind is called in an export: its things have new uuids here.
_ABOUT: Final = {"event": "timeline", "indicator": "indicators", "asset": "assets", "note": "notes"}
# Things that are records here: their page is found by the new uuid.
_RECORDED: Final = frozenset({"approval", "run", "collection", "action"})
_BY_NAME: Final = frozenset({"device", "file"})

_recipes: list[Recipe] = []
_about: dict[str, str] = dict(_ABOUT)


def register(recipe: Recipe, comments_on: str = "") -> None:
    """`recipe` is followed from now on. `comments_on` is the kind under which its things are commented."""
    _recipes.append(recipe)
    if comments_on:
        _about[comments_on] = recipe.area


def recipes() -> list[Recipe]:
    """In an order in which what is named is there before what names it; comments last, for they name anything."""
    return [*OWN, *_recipes, *LAST]


# --- what the fields alone do not say --------------------------------------------------------------------------------
def _milestone(item: Milestone, row: Row, scene: Scene) -> None:
    if item.kind == Milestone.Kind.CLOSED:
        raise Refused("the case is open here")


def _item(item: ChecklistItem, row: Row, scene: Scene) -> None:
    if item.repeat_of and item.asset is not None:
        item.key = f"{item.repeat_of}:{item.asset.uuid.hex[:12]}"
    scene.known[BY_NUMBER][text(row, "_number", 20)] = item


def _proof(item: Proof, row: Row, scene: Scene) -> None:
    shown = [item.evidence, item.activity, item.event, item.decided, item.decision or None]
    if len([one for one in shown if one is not None]) != 1:
        raise Refused("it shows nothing that came, or more than one thing")


def _activity(item: Activity, row: Row, scene: Scene) -> None:
    item.subject = new_uuid(scene.case, text(row, "subject", 64) or str(item.uuid))
    item.url_name = _BEFORE_PAGE
    item.detail.pop("unreviewed", None)
    if item.state not in ENDED:
        item.state, item.ended_at = JobState.CANCELLED, item.ended_at or timezone.now()
        item.outcome = "It was under way when the case was exported."


def _playbook(item: CasePlaybook, row: Row, scene: Scene) -> None:
    try:
        catalogue.playbook_from({**item.content, "id": item.slug, "version": item.number})
    except catalogue.CatalogueError as error:
        raise Refused(f"it is no playbook: {error}") from error


def _clock(item: Clock, row: Row, scene: Scene) -> None:
    # A number of this site's own promises means another one.
    if item.rule.startswith("sla:"):
        item.rule = f"{ELSEWHERE}{item.rule}"[:64]


def _running(item: Clock) -> Iterable[tuple[Any, ...]]:
    return [("running rule", item.rule)] if item.state == Clock.State.RUNNING else []


def _handover(item: HandOver, row: Row, scene: Scene) -> None:
    if item.state == HandOver.State.OFFERED:
        # Who it was offered to cannot answer here.
        item.state, item.answered_at = HandOver.State.WITHDRAWN, timezone.now()
        item.answer = item.answer or "It was still offered when the case was exported."


def _hold(item: LegalHold) -> Iterable[tuple[Any, ...]]:
    return [("standing hold", item.evidence_id)] if item.lifted_at is None else []


def _revision(item: NoteRevision, row: Row, scene: Scene) -> None:
    if not item.rejected:
        item.settled_at = None


def _current(item: PhaseEntry) -> Iterable[tuple[Any, ...]]:
    return [("open stay",)] if item.left_at is None else []


def _incident(item: CaseIncident, row: Row, scene: Scene) -> None:
    item.brought = {
        new: mark
        for old, mark in item.brought.items()
        if isinstance(mark, str) and (new := _finding(scene, old)) is not None
    }
    item.named = [new for old in item.named if (new := _finding(scene, old)) is not None]
    if not item.url.startswith("https://"):
        item.url = ""


def _finding(scene: Scene, old: Any) -> str | None:
    found = next((one for area in _ABOUT.values() if (one := scene.find(area, old)) is not None), None)
    return str(found.uuid) if found is not None else None


def _incident_comment(item: IncidentComment, row: Row, scene: Scene) -> None:
    if item.state not in FINAL_STATES:
        item.state, item.reason = JobState.CANCELLED, "It was not yet sent when the case was exported."


def _mark(item: Handling, row: Row, scene: Scene) -> None:
    if item.mark != Handling.Mark.MALICIOUS:
        raise Refused("that a file is safe is said here by who leads the case here")
    item.covers = []


def _star(item: Star, row: Row, scene: Scene) -> None:
    item.provenance = origins.here(item.provenance, scene)


def _comment(item: Comment, row: Row, scene: Scene) -> None:
    item.subject = _subject(item.kind, item.subject, scene)


def _subject(kind: str, old: str, scene: Scene) -> str:
    """What the comment is about, as this case names it. Raises Refused."""
    if kind not in {one.name for one in comments.kinds()}:
        raise Refused("nothing of that kind can be commented here")
    if kind == "case":
        return str(scene.case.uuid)
    if kind in _BY_NAME:
        return old
    if kind in _RECORDED and _UUID.fullmatch(old):
        return str(new_uuid(scene.case, old))
    if kind == "checklist" and (item := scene.find(BY_NUMBER, old)) is not None:
        return str(item.pk)
    area = BY_UUID if kind == "evidence" else _about.get(kind, "")
    if area and _UUID.fullmatch(old) and (found := scene.find(area, str(UUID(old)))) is not None:
        return str(found.uuid)
    raise Refused("what it is about did not come")


# Assets, indicators and the timeline come before these: `refinding`.
OWN: Final = (
    Recipe("phases", PhaseEntry, keys=_current),
    Recipe("milestones", Milestone, mend=_milestone),
    Recipe("playbook", CasePlaybook, mend=_playbook),
    Recipe("tags", CaseTag),
    Recipe("handling", Handling, {"evidence": EXHIBITS}, mend=_mark,
           skip=frozenset({"form", "danger", "looks", "version", "covers"})),
    Recipe("holds", LegalHold, {"evidence": EXHIBITS}, keys=_hold),
    Recipe("checklist", ChecklistItem, {"asset": "assets"}, {"depends_on": "checklist"}, mend=_item),
    Recipe("checklist_changes", ItemChange, {"item": "checklist"}),
    Recipe("activities", Activity, many={"evidence": EXHIBITS}, mend=_activity),
    Recipe("decisions", Decision, {"supersedes": "decisions"}, {"items": "checklist", "evidence": EXHIBITS},
           one_by_one=True),
    Recipe("proofs", Proof, {"item": "checklist", "evidence": EXHIBITS, "activity": "activities", "event": "timeline",
                             "decided": "decisions"}, mend=_proof),
    Recipe("clocks", Clock, {"decision": "decisions", "end_decision": "decisions", "evidence": EXHIBITS}, mend=_clock,
           keys=_running),
    Recipe("handovers", HandOver, {"evidence": EXHIBITS}, mend=_handover),
    Recipe("improvements", Improvement),
    Recipe("incidents", CaseIncident, {"evidence": EXHIBITS}, mend=_incident),
    Recipe("incident_comments", IncidentComment, {"link": "incidents"}, mend=_incident_comment),
    Recipe("notes", Note),
    Recipe("note_revisions", NoteRevision, {"note": "notes"}, mend=_revision),
    Recipe("stars", Star, {"evidence": EXHIBITS}, mend=_star),
    Recipe("row_tags", RowTag, {"evidence": EXHIBITS}),
)  # fmt: skip
LAST: Final = (
    Recipe("comments", Comment, mend=_comment),
    Recipe("comment_revisions", CommentRevision, {"comment": "comments"}),
)
