"""The case's content out of an export, in one go: rows again where they can be, records of what they were where not."""

import json
from typing import Final

from ircase.dossier import coverage, linked, refinding
from ircase.dossier.reading import text
from ircase.dossier.recalling.recipes import recipes
from ircase.dossier.recalling.rows import restore
from ircase.dossier.recalling.scene import Scene, name_of
from ircase.dossier.recalling.values import plain_json
from ircase.models import Case, CasePlaybook, ChecklistItem, Clock, Milestone, PhaseEntry

BEFORE: Final = "before"
UNKNOWN: Final = "This IRCase does not know such rows."


def rebuild(scene: Scene) -> None:
    """Called within the transaction that opens the case. What people did is theirs, by name; `scene.actor` imports."""
    _make_room(scene)
    refinding.rebuild(scene)
    done = {"assets", "indicators", "timeline", "event_techniques", linked.AREA, BEFORE}
    for recipe in recipes():
        restore(recipe, scene)
        done.add(recipe.area)
    linked.relink(scene)
    _stay(scene)
    _before(scene)
    for area in sorted(set(scene.areas) - done):
        _record(scene, area)
    # What was done there is a record as well: the page of an activity shows it.
    _record(scene, "activities")
    scene.flush()


def _make_room(scene: Scene) -> None:
    """What opening the case put there gives way to what the export says."""
    for area, model in (("milestones", Milestone), ("checklist", ChecklistItem), ("clocks", Clock)):
        if scene.rows(area):
            model._base_manager.filter(case=scene.case).delete()
    if scene.rows("phases"):
        PhaseEntry.objects.filter(case=scene.case).delete()


def _stay(scene: Scene) -> None:
    """An open case is in one phase, since some time: where the export says none, since now."""
    if not PhaseEntry.objects.filter(case=scene.case, left_at=None).exists():
        reason = f"Brought in from {scene.old_reference}"
        PhaseEntry.objects.create(case=scene.case, phase=scene.case.phase, moved_by=scene.actor, reason=reason)
    current = PhaseEntry.objects.get(case=scene.case, left_at=None)
    plan = CasePlaybook.objects.filter(case=scene.case).first()
    known = {"playbook": plan.slug, "playbook_version": plan.number} if plan else {}
    Case.objects.filter(pk=scene.case.pk).update(phase=current.phase, **known)
    scene.case.refresh_from_db()


def _before(scene: Scene) -> None:
    """Records that were records there already keep their names."""
    for row in scene.rows(BEFORE):
        area = text(row, "area", 40)
        if area:
            scene.record(area, text(row, "line", 1 << 25), text(row, "key", 64), text(row, "reason", 300))
        else:
            scene.aside(BEFORE, row, "It does not say what it was.")


def _record(scene: Scene, area: str) -> None:
    reason = "" if area in coverage.RECORDS or area == "activities" else UNKNOWN
    for row in scene.rows(area):
        scene.record(area, json.dumps(plain_json(row), sort_keys=True), name_of(row), reason)
