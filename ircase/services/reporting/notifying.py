"""The answers to what an authority asks, where the case does not know them."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.models import Case, NotificationFact, User
from ircase.services import log
from ircase.services.analysis.findings import clean

LONGEST = 10_000


@transaction.atomic
def answer(*, case: Case, actor: User, answers: Mapping[str, str], known: frozenset[str]) -> int:
    """Keep what was written for each field; an empty text takes it away. How many changed. Raises ValidationError."""
    if unknown := set(answers) - known:
        raise ValidationError(f"No authority asks for {', '.join(sorted(unknown))}.")
    before = dict(NotificationFact.objects.filter(case=case).values_list("field", "text"))
    texts = {name: clean(text).strip() for name, text in answers.items()}
    if long := [name for name, text in texts.items() if len(text) > LONGEST]:
        raise ValidationError(f"{', '.join(long)}: at most {LONGEST:,} characters.")
    changed = {name: text for name, text in texts.items() if text != before.get(name, "")}
    for name, text in changed.items():
        found = {"text": text, "written_by": actor, "written_at": timezone.now()}
        NotificationFact.objects.update_or_create(case=case, field=name, defaults=found)
    if changed:
        log.record("notification.answered", case=case, actor=actor, fields=sorted(changed))
    return len(changed)
