"""Links between cases in an export, and back: only as far as the person who asks sees both sides."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from ircase.dossier.reading import Row, choice, text
from ircase.dossier.recalling.scene import Scene
from ircase.models import Case, CaseImport, CaseLink, User
from ircase.services.casework import linking

AREA: Final = "links"
MOST: Final = 1000
# One sentence for all: whether there is such a case is not told.
_LOST: Final = "The case it names is not here, or is not yours to link."


def link_rows(case: Case, reader: User, named: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    """The links of `case` that stand. An export leaves the house, so none tells of a confidential case."""
    for seen in linking.seen_by(case, reader):
        if not seen.other.confidential:
            yield {
                "_id": str(seen.link.uuid),
                "outwards": seen.link.case_id == case.pk,
                "other": str(seen.other.uuid),
                "other_reference": seen.other.reference,
                "kind": seen.link.kind,
                "reason": seen.link.reason,
                "made_by": named(seen.link.made_by),
                "made_at": seen.link.made_at,
            }


def relink(scene: Scene) -> None:
    """Link the new case again, where the other is here and the person who imports may link it; else the link is kept as
    a record."""
    for number, row in enumerate(scene.rows(AREA)):
        reason = _link(scene, row) if number < MOST else f"There are more than {MOST:,} links."
        if reason:
            scene.aside(AREA, row, reason)


def _link(scene: Scene, row: Row) -> str:
    """Why there is no link now; "" where there is."""
    other = _other(scene, text(row, "other", 64))
    if other is None:
        return _LOST
    outwards = row.get("outwards") is not False
    case, target = (scene.case, other) if outwards else (other, scene.case)
    try:
        with transaction.atomic():
            linking.link(
                case=case, actor=scene.actor, other=target, kind=choice(row, "kind", CaseLink.Kind, "related"),
                reason=text(row, "reason"),
            )  # fmt: skip
    except PermissionDenied:
        return _LOST
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _other(scene: Scene, name: str) -> Case | None:
    """The case that has this uuid, or had it where it was imported from, if the person sees it."""
    try:
        uuid = UUID(name)
    except ValueError:
        return None
    visible = Case.objects.visible_to(scene.actor).exclude(pk=scene.case.pk)
    brought = CaseImport.objects.filter(origin=uuid).values("case")
    return visible.filter(uuid=uuid).first() or visible.filter(pk__in=brought).order_by("-pk").first()
