"""A case opened after the pattern of another: its own items and its hunts, none of its findings.

Apps above say which hunts a case used; the case does not know them.
"""

from collections.abc import Callable
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import transaction

from ircase import access, shelf
from ircase.models import Case, CasePlaybook, ChecklistItem, Phase, User
from ircase.search import index
from ircase.services import log
from ircase.services.analysis.findings import clean
from ircase.services.casework import opening
from ircase.services.phases import checklist

Hunts = Callable[[Case], list[str]]
MOST: Final = 200
_hunts: list[Hunts] = []


def register(hunts: Hunts) -> None:
    """`hunts` gives the ids of the library's hunts that a case used, in their order."""
    _hunts[:] = [hunts]


def own_items(case: Case) -> list[ChecklistItem]:
    """What was added by hand, beside the playbook: the pattern of the case."""
    plan = CasePlaybook.objects.filter(case=case).first()
    keys = {item["key"] for item in plan.content.get("items", ())} if plan else set()
    found = ChecklistItem.objects.filter(case=case, repeat_of="").exclude(phase=Phase.PREPARATION)
    return [item for item in found.order_by("position", "pk")[:MOST] if item.key not in keys]


def known() -> set[str]:
    return {plan.id for plan in shelf.usable()}


def hunts_of(case: Case) -> list[str]:
    return [hunt for one in _hunts for hunt in one(case)][:50]


@transaction.atomic
def open_from(*, source: Case, actor: User, title: str, severity: str = "", confidential: bool = False) -> Case:
    """A new case led by `actor`, who may see `source`: same playbook, TLP and tenant, the items added by hand, and
    its hunts as suggestions. After a confidential case comes a confidential one. Raises PermissionDenied,
    ValidationError."""
    if not access.still_may(actor, source, access.VIEWER):
        raise PermissionDenied("You may not see the case that is to be the pattern.")
    case = opening.open_by_hand(
        actor=actor,
        title=clean(title).strip(),
        playbook=source.playbook if source.playbook in known() else "",
        severity=severity or source.severity,
        tlp=source.tlp,
        confidential=confidential or source.confidential,
        exercise=source.exercise,
        connection=source.connection if source.connection and source.connection.enabled else None,
    )
    items = own_items(source)
    _copy(case, items)
    hunts = hunts_of(source)
    if hunts:
        _suggest(case, hunts)
    log.record("case.from_template", case=case, actor=actor, items=len(items), hunts=hunts)
    return case


def _copy(case: Case, items: list[ChecklistItem]) -> None:
    made = ChecklistItem.objects.bulk_create(
        ChecklistItem(
            case=case,
            key=f"own_{place}",
            position=checklist.MANUAL_POSITION + place,
            phase=item.phase,
            title=item.title,
            guidance=item.guidance,
            r2_step=item.r2_step,
            csf_outcome=item.csf_outcome,
            required=item.required,
            suggested_hunts=item.suggested_hunts,
            suggested_collections=item.suggested_collections,
            suggested_actions=item.suggested_actions,
        )
        for place, item in enumerate(items, start=1)
    )
    index.write_many("item", made)


def _suggest(case: Case, hunts: list[str]) -> None:
    ChecklistItem.objects.create(
        case=case,
        key="template_hunts",
        position=checklist.MANUAL_POSITION,
        phase=Phase.DETECTION,
        title="Run the hunts that the pattern of this case had run",
        suggested_hunts=hunts,
    )
