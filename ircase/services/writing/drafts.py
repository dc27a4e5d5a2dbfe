"""What people are typing, kept for them alone until it is saved."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.signing import Signer
from django.db import transaction
from django.utils import timezone

from ircase.models import Case, Draft, User

MOST_FIELDS: Final = 12
MOST_CHARACTERS: Final = 600_000
MOST_DRAFTS: Final = 200
PLACE: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,119}")
_ID: Final = re.compile(r"[0-9]{1,16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIELD: Final = re.compile(r"[a-z][a-z0-9_-]{0,59}")


def key_of(person: User) -> str:
    """What names the person in their browser's storage: always the same, and no word of theirs."""
    return Signer(salt="ircase.drafts").signature(str(person.pk))[:16]


def place_of(form: str, *what: object) -> str:
    """Names a form by what it is about: ids as they are, other words (a device's name) as a digest, since the name is
    kept in the browser."""
    words = [str(one) for one in what if str(one)]
    return ".".join(
        [form, *(one if _ID.fullmatch(one) else hashlib.sha256(one.encode()).hexdigest()[:32] for one in words)]
    )


@transaction.atomic
def keep(*, person: User, case: Case, place: str, version: int, fields: Mapping[str, Any]) -> Draft:
    """Keep what stands in a form now, in place of what was kept. A person's oldest drafts go when there are more than
    MOST_DRAFTS. Raises ValidationError for what no form of ours holds."""
    _check(place, fields)
    draft, _ = Draft.objects.update_or_create(
        person=person, case=case, place=place,
        defaults={"version": version, "fields": dict(fields), "saved_at": timezone.now()},
    )  # fmt: skip
    stale = Draft.objects.filter(person=person).order_by("-saved_at").values_list("pk", flat=True)[MOST_DRAFTS:]
    if stale:
        Draft.objects.filter(pk__in=list(stale)).delete()
    return draft


def find(person: User, case: Case, place: str) -> Draft | None:
    return Draft.objects.filter(person=person, case=case, place=place).first()


def forget(*, person: User, place: str, case: Case | None = None) -> int:
    """It was saved, or thrown away."""
    found = Draft.objects.filter(person=person, place=place)
    return (found.filter(case=case) if case is not None else found).delete()[0]


def forget_all(*, person: User) -> int:
    return Draft.objects.filter(person=person).delete()[0]


def _check(place: str, fields: Mapping[str, Any]) -> None:
    if not PLACE.fullmatch(place):
        raise ValidationError("There is no such place to type in.")
    good = all(_FIELD.fullmatch(str(name)) and isinstance(text, str) for name, text in fields.items())
    if not good or len(fields) > MOST_FIELDS:
        raise ValidationError("A draft holds the texts of one form, by the names of its fields.")
    if sum(len(text) for text in fields.values()) > MOST_CHARACTERS:
        raise ValidationError(f"A draft holds at most {MOST_CHARACTERS:,} characters.")
    if any("\x00" in text for text in fields.values()):
        raise ValidationError("A draft is text.")
