"""How a person wants the pages to behave."""

from django.db import transaction

from ircase.models import User
from ircase.services import log


@transaction.atomic
def set_single_keys(*, person: User, on: bool) -> None:
    """Whether single keys such as `/` and `j` do something (WCAG 2.1.4:
    https://www.w3.org/WAI/WCAG22/Understanding/character-key-shortcuts)."""
    person.single_keys = on
    person.save(update_fields=["single_keys"])
    log.record("person.keys_changed", actor=person, user=person.username, on=on)
