"""Tags of a case: a set of words that people agree on."""

import re

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count

from ircase.models import Case, CaseTag, User
from ircase.services import log

MOST = 30


def names_of(text: str) -> list[str]:
    """Tags as typed, parted by commas or spaces, in small letters, each once."""
    return list(dict.fromkeys(re.split(r"[\s,]+", text.strip().lower()))) if text.strip() else []


@transaction.atomic
def set_tags(*, case: Case, actor: User, names: list[str]) -> list[str]:
    """Make these the case's tags; who put and took which is logged. Raises ValidationError."""
    Case.objects.select_for_update().get(pk=case.pk)
    if len(names) > MOST:
        raise ValidationError(f"A case has at most {MOST} tags.")
    had = set(CaseTag.objects.filter(case=case).values_list("name", flat=True))
    added, removed = [name for name in names if name not in had], sorted(had - set(names))
    new = [CaseTag(case=case, name=name, added_by=actor) for name in added]
    for tag in new:
        tag.full_clean(exclude=["case", "added_by"], validate_constraints=False)
    CaseTag.objects.filter(case=case, name__in=removed).delete()
    CaseTag.objects.bulk_create(new)
    if added or removed:
        log.record("case.tagged", case=case, actor=actor, added=added, removed=removed)
    return sorted(set(names))


def common(user: User, most: int = 50) -> list[str]:
    """The tags that stand on most of the cases that `user` may see."""
    visible = Case.objects.visible_to(user).values("pk")
    counted = CaseTag.objects.filter(case__in=visible).order_by().values_list("name").annotate(many=Count("pk"))
    return [name for name, _ in counted.order_by("-many", "name")[:most]]
