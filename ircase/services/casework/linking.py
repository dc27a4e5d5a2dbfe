"""Links between cases. Each side shows a link only to people who may see the other; logs name no other case."""

from dataclasses import dataclass
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ircase import access
from ircase.models import Case, CaseLink, User
from ircase.services import log
from ircase.services.analysis.findings import clean

_INVERSE: Final = {
    CaseLink.Kind.RELATED: "Related to",
    CaseLink.Kind.DUPLICATE: "Has the duplicate",
    CaseLink.Kind.CAUSED_BY: "Caused",
    CaseLink.Kind.CHILD: "Has the part",
    CaseLink.Kind.SPLIT: "Had split off",
}


@dataclass(frozen=True)
class Seen:
    """A link from one side: in words, and the case on the other."""

    link: CaseLink
    words: str
    other: Case


def seen_by(case: Case, user: User) -> list[Seen]:
    """The links of `case` whose other side the person may see; nothing tells whether there are more. Two queries."""
    standing = CaseLink.objects.filter(removed_at=None).select_related("made_by")
    rows = list(standing.filter(Q(case=case) | Q(other=case)))
    ids = {row.other_id if row.case_id == case.pk else row.case_id for row in rows}
    others = {one.pk: one for one in Case.objects.visible_to(user).filter(pk__in=ids)}
    found = []
    for row in rows:
        out = row.case_id == case.pk
        other = others.get(row.other_id if out else row.case_id)
        if other is not None:
            words = CaseLink.Kind(row.kind).label if out else _INVERSE[CaseLink.Kind(row.kind)]
            found.append(Seen(row, words, other))
    return found


@transaction.atomic
def link(*, case: Case, actor: User, other: Case, kind: str, reason: str) -> CaseLink:
    """`case` is `kind` of `other`. The person writes on `case` and may see `other`. Raises PermissionDenied,
    ValidationError."""
    if not access.still_may(actor, case, access.ANALYST):
        raise PermissionDenied("Cases are linked by who writes on them.")
    if not access.still_may(actor, other, access.VIEWER):
        raise ValidationError({"other": "There is no such case, or you may not see it."})
    if kind not in CaseLink.BY_HAND:
        raise ValidationError({"kind": "A link of this kind is made by splitting a case."})
    if other.pk == case.pk:
        raise ValidationError({"other": "That is this case itself."})
    if not reason.strip():
        raise ValidationError({"reason": "Say how they belong together."})
    # The case's row is the lock: whoever presses twice links once.
    Case.objects.select_for_update().get(pk=case.pk)
    pairs = Q(case=case, other=other)
    # "Related" says the same from both sides; of the others the reverse would contradict.
    pairs |= Q(case=other, other=case)
    if CaseLink.objects.filter(pairs, kind=kind, removed_at=None).exists():
        raise ValidationError("The two are linked like that already.")
    made = CaseLink.objects.create(
        case=case, other=other, kind=CaseLink.Kind(kind), reason=clean(reason).strip(), made_by=actor
    )
    _log("case.linked", made, actor)
    return made


@transaction.atomic
def unlink(*, made: CaseLink, actor: User, case: Case) -> None:
    """Take the link away; it stays in the records. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.ANALYST):
        raise PermissionDenied("Links are removed by who writes on one of the two cases.")
    row = CaseLink.objects.select_for_update(of=("self",)).select_related("case", "other").get(pk=made.pk)
    if row.removed_at is not None:
        raise ValidationError("The link was removed already.")
    if row.merge is not None:
        raise ValidationError("This link is of a merge: undo the merge instead.")
    if row.split is not None:
        raise ValidationError("This link is of a split: merge the case back instead.")
    row.removed_at, row.removed_by = timezone.now(), actor
    row.save(update_fields=["removed_at", "removed_by"])
    _log("case.unlinked", row, actor)


def _log(action: str, made: CaseLink, actor: User) -> None:
    """On each side that may know of the other: a case's readers must not learn of a confidential one. Where neither may
    know, the site's log keeps that a link was made, by its id alone."""
    sides = [(made.case, made.other), (made.other, made.case)]
    told = [side for side, other in sides if not other.confidential]
    for side in told:
        log.record(action, case=side, actor=actor, kind=made.kind, link=str(made.uuid))
    if not told:
        log.record(action, actor=actor, link=str(made.uuid))
