"""The words that events and indicators of a case are sorted by."""

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError

from ircase.models import Case, FindingTag
from ircase.models.findings import TAG

MOST_TAGS: Final = 20
"""On one event or indicator."""


def read_tags(text: str) -> list[str]:
    """The tags in a line, set apart by commas or blanks."""
    return list(dict.fromkeys(text.lower().replace(",", " ").split()))


def tags_of(case: Case, names: Iterable[str]) -> list[FindingTag]:
    """The case's tags of these names, made where they are new. Raises ValidationError."""
    wanted = list(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    if len(wanted) > MOST_TAGS:
        raise ValidationError({"tags": f"At most {MOST_TAGS} tags fit on one thing."})
    for name in wanted:
        try:
            TAG(name)
        except ValidationError as error:
            raise ValidationError({"tags": error.messages}) from None
    if not wanted:
        return []
    there = {tag.name for tag in FindingTag.objects.filter(case=case, name__in=wanted)}
    FindingTag.objects.bulk_create(
        [FindingTag(case=case, name=name) for name in wanted if name not in there], ignore_conflicts=True
    )
    return list(FindingTag.objects.filter(case=case, name__in=wanted))
